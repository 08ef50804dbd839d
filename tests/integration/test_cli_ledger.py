"""``auditor ledger`` as an operator types it, over a configured installation and over copies of its log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from auditor.alerts.webhook import secret_of
from auditor.bootstrap import WEBHOOK_SECRET, Installation
from auditor.cli import main
from auditor.cli.connect import tenant_of
from auditor.domain.errors import ConfigurationError
from auditor.domain.events import Event
from auditor.proof.merkle import leaf_hash, verify_inclusion
from auditor.proof.note import Checkpoint, InclusionProof, VerifierKey, open_note
from auditor.settings import configured
from auditor.simulators.aws import AwsEmulator
from auditor.store.database import engine
from auditor.store.deliveries import PostgresDeliveries
from auditor.store.noting import Note
from tests.fixtures.authority import authority, openssl
from tests.fixtures.database import Provisioned

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One key for one database, as an installation has it."""
    return tmp_path_factory.mktemp("keys") / "ledger.key"


@pytest.fixture
def slug(provisioned: Provisioned, key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tenant of an installation that the environment describes, with its key and role."""
    monkeypatch.setenv("AUDITOR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AUDITOR_DATABASE_URL", provisioned.app_url)
    monkeypatch.setenv("AUDITOR_CLAIM_DATABASE_URL", provisioned.claims_url)
    monkeypatch.setenv("AUDITOR_LEDGER_DATABASE_URL", provisioned.ledger_url)
    monkeypatch.setenv("AUDITOR_LEDGER_KEY_FILE", str(key_file))
    name = f"t{uuid4().hex[:8]}"
    with Installation.open(configured()) as here:
        here.identities.add_tenant(uuid4(), slug=name, name="T", now=here.clock())
    return name


@pytest.fixture
def typed(slug: str, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type one command; gives its exit code and what it said on both outputs."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["ledger", *words, *([] if words[0] == "rotate" else ["--tenant", slug])])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def note(slug: str, count: int) -> list[str]:
    with Installation.open(configured()) as here:
        tenant, now = tenant_of(here, slug), here.clock()
        events = [uuid4() for _ in range(count)]
        with here.open_tenant(tenant) as books:
            books.note_all([Note("finding.open", str(one), "ab" * 32, now, event=one) for one in events])
    return [str(one) for one in events]


def test_an_empty_ledger_says_so_and_what_to_do(typed: Typed) -> None:
    assert typed("verify") == (0, "the ledger is empty\n", "")
    code, _, said = typed("checkpoint")
    assert (code, "nothing is signed yet" in said, "auditor checkpoint" in said) == (2, True, True)


def test_from_noting_to_a_proof_that_the_kernel_opens(typed: Typed, slug: str) -> None:
    events = note(slug, 300)
    code, head, _ = typed("checkpoint", "--now")
    assert code == 0
    key = VerifierKey.parse(typed("key")[1].splitlines()[-1])
    said = Checkpoint.parse(open_note(head, key))
    assert said.size == 300
    for asked in (events[17], "17"):
        code, text, _ = typed("proof", asked)
        proof = InclusionProof.parse(text)
        assert (code, proof.leaf, proof.checkpoint) == (0, 17, head)
        assert verify_inclusion(leaf_hash(proof.extra), 17, said.size, proof.hashes, said.root)
    code, told, _ = typed("verify")
    assert code == 0
    assert "300 entries, 1 signed heads; nothing is wrong" in told


def test_an_entry_that_is_not_there_is_a_sentence(typed: Typed, slug: str) -> None:
    note(slug, 1)
    typed("checkpoint", "--now")
    code, _, said = typed("proof", str(uuid4()))
    assert (code, "the ledger has no entry" in said) == (2, True)


def test_a_folder_of_tiles_is_checked_without_a_database(typed: Typed, slug: str, tmp_path: Path) -> None:
    note(slug, 300)
    typed("checkpoint", "--now")
    key, folder = tmp_path / "vkey", tmp_path / "tiles"
    key.write_text(typed("key")[1].splitlines()[-1])
    assert typed("export", str(folder))[1] == f"300 entries in {folder}\n"
    note(slug, 300)
    typed("checkpoint", "--now")
    assert typed("export", str(folder))[0] == 0
    code, told, _ = typed("verify", "--tiles", str(folder), "--key", str(key))
    assert (code, "601 entries" in told) == (0, True)
    entries = folder / "tile" / "entries" / "001"
    entries.write_bytes(entries.read_bytes().replace(b"finding.open", b"finding.opem", 1))
    code, _, said = typed("verify", "--tiles", str(folder), "--key", str(key))
    assert (code, "entry 256 is not what it was" in said) == (2, True)


def test_another_key_than_the_one_that_signed_is_refused(typed: Typed, slug: str) -> None:
    note(slug, 1)
    typed("checkpoint", "--now")
    name = typed("key")[1].partition("+")[0]
    code, _, said = typed("verify", "--key", str(VerifierKey(name, b"k" * 32)))
    assert (code, "no key that we were given has signed this" in said) == (2, True)


def test_where_the_key_is_not_kept_it_must_be_given(
    typed: Typed, slug: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    note(slug, 1)
    typed("checkpoint", "--now")
    key = typed("key")[1].splitlines()[-1]
    monkeypatch.setenv("AUDITOR_LEDGER_KEY_FILE", str(tmp_path / "elsewhere"))
    code, _, said = typed("verify")
    assert (code, "--key" in said) == (2, True)
    assert typed("verify", "--key", key)[0] == 0


def test_a_key_file_that_was_lost_is_not_replaced_by_a_new_key_unseen(
    typed: Typed, slug: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    note(slug, 1)
    _, before, _ = typed("checkpoint", "--now")
    key = typed("key")[1].splitlines()[-1]
    monkeypatch.setenv("AUDITOR_LEDGER_KEY_FILE", str(tmp_path / "new.key"))
    note(slug, 1)
    assert typed("checkpoint", "--now")[1] == before
    assert typed("verify", "--key", key)[0] == 0


def test_a_rotation_ends_only_when_the_new_key_has_signed(typed: Typed, slug: str) -> None:
    note(slug, 1)
    typed("checkpoint", "--now")
    assert typed("rotate")[0] == 0
    code, _, said = typed("rotate", "--retire")
    assert (code, "no head yet that the new key signed" in said) == (2, True)
    typed("checkpoint", "--now")
    *_, old, new = (VerifierKey.parse(line) for line in typed("key")[1].splitlines())
    head = typed("checkpoint")[1]
    assert open_note(head, old) == open_note(head, new)
    assert typed("rotate", "--retire")[0] == 0
    assert typed("verify")[0] == 0


def test_a_head_is_kept_outside_in_a_file_and_in_a_locked_bucket(
    typed: Typed, slug: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(slug, 1)
    _, head, _ = typed("checkpoint", "--now")
    copy = tmp_path / "heads" / "latest"
    assert typed("anchor", "--to", str(copy))[0] == 0
    assert copy.read_text() == head
    with AwsEmulator() as emulator:
        for name, value in emulator.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AUDITOR_OBJECTS_ENDPOINT_URL", emulator.url)
        monkeypatch.setenv("AUDITOR_OBJECT_LOCK", "compliance")
        s3 = emulator.client("s3")
        s3.create_bucket(Bucket="heads", ObjectLockEnabledForBucket=True)
        for _ in range(2):
            code, _, said = typed("anchor", "--to", "s3://heads/ledger")
            assert (code, said) == (0, "")
        (listed,) = s3.list_objects_v2(Bucket="heads")["Contents"]
        found = s3.get_object(Bucket="heads", Key=listed["Key"])
        assert found["Body"].read().decode() == head
        assert found["ObjectLockMode"] == "COMPLIANCE"
        s3.close()


def test_a_head_is_stamped_once_and_shown_with_how_far_that_was_verified(
    typed: Typed, slug: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(slug, 1)
    _, head, _ = typed("checkpoint", "--now")
    with authority(tmp_path) as tsa:
        code, _, said = typed("anchor", "--timestamp", tsa.url)
        assert (code, "127.0.0.1 is not a public address" in said) == (2, True)
        monkeypatch.setenv("AUDITOR_EGRESS_ALLOW", "127.0.0.0/8")
        monkeypatch.setenv("AUDITOR_TIMESTAMP_ROOTS", str(tsa.strangers))
        code, _, said = typed("anchor", "--timestamp", tsa.url)
        assert (code, "not vouched for" in said) == (2, True)
        assert "no head has a time stamp yet" in typed("checkpoint", "--token", str(tmp_path / "token"))[2]
        monkeypatch.delenv("AUDITOR_TIMESTAMP_ROOTS")
        for _ in range(2):
            code, out, _ = typed("anchor", "--timestamp", tsa.url)
            assert (code, "not verified: AUDITOR_TIMESTAMP_ROOTS names no roots" in out) == (0, True)
        assert len(tsa.asked) == 2
        monkeypatch.setenv("AUDITOR_TIMESTAMP_ROOTS", str(tsa.roots))
        note(slug, 1)
        assert typed("checkpoint", "--now")[1] != head
        code, shown, said = typed("checkpoint", "--token", str(tmp_path / "token"))
        assert (code, shown) == (0, head)
        assert "the head of size 1 was stamped at" in said
        assert f"verified under {tsa.roots}" in said
        (tmp_path / "head").write_text(shown)
        openssl(tmp_path, "ts", "-verify", "-data", "head", "-in", "token", "-CAfile", str(tsa.roots))


def test_the_process_that_signs_asks_once_a_day_where_an_authority_is_configured(
    typed: Typed, slug: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(slug, 1)
    typed("checkpoint", "--now")
    with Installation.open(configured()) as here, here.notary() as notary:
        assert notary.stamp() == 0
    with authority(tmp_path) as tsa:
        monkeypatch.setenv("AUDITOR_EGRESS_ALLOW", "127.0.0.0/8")
        monkeypatch.setenv("AUDITOR_TIMESTAMP_URL", tsa.url)
        monkeypatch.setenv("AUDITOR_TIMESTAMP_ROOTS", str(tsa.roots))
        with Installation.open(configured()) as here, here.notary() as notary:
            assert notary.stamp() >= 1  # the logs of other tests are this installation's too
            assert notary.stamp() == 0
        assert "verified under" in typed("checkpoint")[2]
        monkeypatch.setenv("AUDITOR_TIMESTAMP_ROOTS", str(tmp_path / "nothing"))
        with (
            pytest.raises(ConfigurationError, match="AUDITOR_TIMESTAMP_ROOTS"),
            Installation.open(configured()) as here,
            here.notary(),
        ):
            pass


def test_a_message_carries_the_latest_head(typed: Typed, slug: str) -> None:
    note(slug, 1)
    _, head, _ = typed("checkpoint", "--now")
    with Installation.open(configured()) as here:
        tenant, now = tenant_of(here, slug), here.clock()
        with here.open_tenant(tenant) as books:
            secret = here.keyring.seal(tenant, WEBHOOK_SECRET, secret_of(bytes(32)).encode())
            books.add_webhook(uuid4(), "https://receiver.example/", secret, by="auditor", now=now)
            books.announce([Event(uuid4(), "webhook.test", now, {})], now=now)
        (claim,) = [one for one in here.claims.lease("notify", now=now, limit=50, lease_for=60) if one.tenant == tenant]
        deliveries = PostgresDeliveries(
            here.app, lambda of, one: here.keyring.open(of, WEBHOOK_SECRET, one).decode(), here.clock
        )
        delivery = deliveries.load(tenant, claim.id, claim.fence)
    assert delivery is not None
    assert delivery.checkpoint == head


def test_a_log_that_was_altered_is_told_of_once_a_day_and_the_others_go_on(
    typed: Typed, slug: str, provisioned: Provisioned
) -> None:
    note(slug, 5)
    typed("checkpoint", "--now")
    pool = engine(provisioned.admin_url, connections=1, autocommit=True)
    with Installation.open(configured()) as here, here.notary() as notary, pool.connect() as superuser:
        tenant = tenant_of(here, slug)
        before = notary.recheck()
        superuser.exec_driver_sql("SET session_replication_role = replica")
        superuser.exec_driver_sql(f"UPDATE ledger_entry SET entry = 'x' WHERE idx = 2 AND tenant_id = '{tenant}'")
        assert notary.recheck() == notary.recheck() == before + 1
        notary.round()
        with here.app.under(tenant) as connection:
            told = connection.execute(text("SELECT data FROM outbox WHERE type = 'ledger.broken'")).scalars().all()
    pool.dispose()
    assert len(told) == 1
    assert "entry 2" in told[0]["problem"]


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ledger", "--help"])
    said = capsys.readouterr().out
    assert all(
        f"auditor ledger {verb}" in said for verb in ("verify", "checkpoint", "proof", "anchor", "rotate", "export")
    )
