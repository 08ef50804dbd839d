"""Sealed values open for whom they were sealed and for nobody else."""

from __future__ import annotations

import base64
import threading
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.domain.errors import ConfigurationError, EvidenceError
from auditor.trust.encryption import AesGcm, Keyring, LocalRoot, given_root_key, root_key

ONE, OTHER = UUID(int=1), UUID(int=2)
RING = Keyring(bytes(32))


@given(st.binary(max_size=300))
def test_what_is_sealed_opens_to_the_same_bytes(plain: bytes) -> None:
    assert RING.open(ONE, "webhook", RING.seal(ONE, "webhook", plain)) == plain


def test_sealing_twice_shows_nothing_in_common() -> None:
    first, second = RING.seal(ONE, "webhook", b"same"), RING.seal(ONE, "webhook", b"same")
    assert first[:1] == second[:1] == b"\x01"
    assert first[1:] != second[1:]
    assert b"same" not in first


@pytest.mark.parametrize(
    ("ring", "tenant", "kind"),
    [(RING, OTHER, "webhook"), (RING, ONE, "credential"), (Keyring(bytes([1]) * 32), ONE, "webhook")],
    ids=["another tenant", "another kind", "another root key"],
)
def test_a_value_opens_for_nobody_else(ring: Keyring, tenant: UUID, kind: str) -> None:
    sealed = RING.seal(ONE, "webhook", b"whsec_x")
    with pytest.raises(ConfigurationError, match="does not open"):
        ring.open(tenant, kind, sealed)


@given(st.integers(min_value=0, max_value=8 * 36 - 1))
def test_no_bit_can_be_changed_unnoticed(bit: int) -> None:
    sealed = bytearray(RING.seal(ONE, "webhook", b"message"))
    assert len(sealed) == 36
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ConfigurationError):
        RING.open(ONE, "webhook", bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x03" + bytes(40), b"\x01" + bytes(20)])
def test_bytes_of_an_unknown_form_are_refused(sealed: bytes) -> None:
    with pytest.raises(ConfigurationError, match="form"):
        RING.open(ONE, "webhook", sealed)


def test_keys_of_tenants_and_purposes_differ() -> None:
    assert len({RING.key(ONE, "seal"), RING.key(OTHER, "seal"), RING.key(ONE, "address"), bytes(32)}) == 4


def test_the_configured_root_key_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    configured = base64.b64encode(bytes(range(32))).decode()
    assert root_key(configured, tmp_path) == bytes(range(32))
    assert list(tmp_path.iterdir()) == []


def test_a_root_key_is_made_once_readable_by_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = root_key(None, home)
    assert len(made) == 32
    assert root_key(None, home) == made
    assert [path.name for path in home.iterdir()] == ["root.key"]
    assert (home / "root.key").stat().st_mode & 0o777 == 0o600


def test_processes_that_start_at_once_end_with_the_same_key(tmp_path: Path) -> None:
    start, found = threading.Barrier(8), []

    def begin() -> None:
        start.wait()
        found.append(root_key(None, tmp_path))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["root.key"]


def test_a_root_key_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    root_key(None, tmp_path)
    (tmp_path / "root.key").chmod(0o644)
    with pytest.raises(ConfigurationError, match="everybody") as refused:
        root_key(None, tmp_path)
    assert "chmod 600" in refused.value.advice()


@pytest.mark.parametrize("text", ["c2hvcnQ=", "not base64!", "ü"])
def test_a_root_key_of_another_form_is_refused_with_advice(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="32 bytes") as refused:
        root_key(text, tmp_path)
    assert refused.value.advice()


def test_a_root_key_may_come_from_a_file_of_the_operator_s(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(base64.b64encode(bytes(range(32))) + b"\n")
    file.chmod(0o400)
    assert root_key(None, tmp_path / "home", file) == given_root_key(None, file) == bytes(range(32))
    assert not (tmp_path / "home").exists()
    assert given_root_key(None, None) is None


def test_a_root_key_given_twice_or_in_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    configured = base64.b64encode(bytes(32)).decode()
    with pytest.raises(ConfigurationError, match="twice"):
        root_key(configured, tmp_path, tmp_path / "secret")
    with pytest.raises(ConfigurationError, match="names no file"):
        root_key(None, tmp_path, tmp_path / "secret")
    assert list(tmp_path.iterdir()) == []


def test_under_a_tenant_s_own_key_each_tenant_hangs_on_its_own() -> None:
    secrets = {ONE: bytes([1]) * 32, OTHER: bytes([2]) * 32}
    ring = Keyring(None, secrets.__getitem__)
    sealed = ring.seal(ONE, "webhook", b"message")
    assert sealed[:1] == b"\x02"
    assert Keyring(bytes(32), secrets.__getitem__).open(ONE, "webhook", sealed) == b"message"
    with pytest.raises(ConfigurationError, match="does not open"):
        ring.open(OTHER, "webhook", sealed)
    with pytest.raises(ConfigurationError, match="does not open"):
        Keyring(None, {ONE: bytes(32)}.__getitem__).open(ONE, "webhook", sealed)
    assert ring.key(ONE, "address") != ring.key(OTHER, "address")


def test_what_hung_on_a_root_key_opens_beside_a_key_service_and_only_with_that_key() -> None:
    sealed = RING.seal(ONE, "webhook", b"message")
    assert Keyring(bytes(32), lambda _: bytes(32)).open(ONE, "webhook", sealed) == b"message"
    with pytest.raises(ConfigurationError, match="another root"):
        Keyring(None, lambda _: bytes(32)).open(ONE, "webhook", sealed)
    with pytest.raises(ConfigurationError, match="another root"):
        RING.open(ONE, "webhook", Keyring(None, lambda _: bytes(32)).seal(ONE, "webhook", b"message"))


def test_a_tenant_s_key_is_unwrapped_by_the_root_that_wrapped_it_and_for_that_tenant() -> None:
    root, key = LocalRoot(bytes(32)), bytes(range(32))
    wrapped = root.wrap(ONE, key)
    assert key not in wrapped
    assert root.unwrap(ONE, wrapped) == key
    for other, tenant in ((root, OTHER), (LocalRoot(bytes([1]) * 32), ONE)):
        with pytest.raises(ConfigurationError, match="does not open"):
            other.unwrap(tenant, wrapped)


@given(st.binary(max_size=300), st.binary(max_size=40), st.data())
def test_what_is_sealed_under_a_given_key_opens_only_as_it_was_sealed(
    plain: bytes, bound: bytes, data: st.DataObject
) -> None:
    cipher, key = AesGcm(), bytes(range(32))
    sealed = cipher.seal(key, plain, bound)
    assert cipher.open(key, sealed, bound) == plain
    bit = data.draw(st.integers(min_value=0, max_value=8 * len(sealed) - 1))
    altered = bytearray(sealed)
    altered[bit // 8] ^= 1 << bit % 8
    for with_key, body, to in (
        (key, bytes(altered), bound),
        (bytes(32), sealed, bound),
        (key, sealed, bound + b"x"),
        (key, sealed[:11], bound),
    ):
        with pytest.raises(EvidenceError, match="does not open"):
            cipher.open(with_key, body, to)
