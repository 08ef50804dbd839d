"""Time stamps of a third party: asked for over HTTP from ``openssl ts``, held against what was asked, kept beside the head."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from auditor.domain.errors import AuditorError, ConfigurationError, DeliveryError, EgressError, LedgerError
from auditor.domain.ledger import Head
from auditor.pipeline.anchor import anchor, stamp_daily
from auditor.pipeline.checkpoint import Checkpointer
from auditor.store.database import Database
from auditor.store.identity import Identities
from auditor.store.ledger import PostgresCopy, PostgresLedger
from auditor.store.memory import MemoryObjects
from auditor.store.tenant_store import PostgresStore
from auditor.trust.egress import Egress
from auditor.trust.signing import LogKeys, ensure
from auditor.trust.timestamps import Authority as Client
from auditor.trust.timestamps import read, request, roots_in
from auditor.worker.checkpoints import Checkpoints
from tests.fixtures.authority import REFUSED, Authority, authority, openssl

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
DAY = timedelta(days=1)
DIGEST = hashlib.sha256(b"a head").digest()
DOOR = Egress([ip_network("127.0.0.0/8")])


@pytest.fixture(scope="module")
def tsa_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with authority(tmp_path_factory.mktemp("tsa")) as made:
        yield made


@pytest.fixture
def tsa(tsa_of_all: Authority) -> Authority:
    tsa_of_all.manner = "honest"
    tsa_of_all.asked.clear()
    return tsa_of_all


def client(tsa: Authority, roots: Path | None = None, *, total: float = 15.0) -> Client:
    return Client(tsa.url, partial(DOOR.post, total=total), [] if roots is None else roots_in(roots))


def test_a_request_is_what_openssl_writes_too(tsa: Authority, tmp_path: Path) -> None:
    (tmp_path / "q").write_bytes(request(DIGEST, 1 << 62))
    openssl(tmp_path, "ts", "-query", "-in", "q", "-text", "-out", "told")
    told = (tmp_path / "told").read_text()
    assert "Hash Algorithm: sha256" in told
    assert "Nonce: 0x4000000000000000" in told
    assert "Certificate required: yes" in told


@pytest.mark.parametrize("rooted", [True, False])
def test_a_token_is_what_openssl_verifies_and_says_whether_we_verified_it(
    tsa: Authority, tmp_path: Path, rooted: bool
) -> None:
    token = client(tsa, tsa.roots if rooted else None).stamp(DIGEST)
    assert tsa.kinds[-1] == "application/timestamp-query"
    assert read(token, DIGEST, roots=roots_in(tsa.roots) if rooted else []).verified == rooted
    (tmp_path / "token").write_bytes(token)
    openssl(tmp_path, "ts", "-verify", "-digest", DIGEST.hex(), "-in", "token", "-CAfile", str(tsa.roots))


@pytest.mark.parametrize(
    ("manner", "says"),
    [("another imprint", "over another digest"), ("refuses", "status 2"), ("garbage", "cannot be read")],
)
@pytest.mark.parametrize("rooted", [True, False])
def test_an_answer_that_is_no_token_over_what_was_sent_is_refused(
    tsa: Authority, manner: str, says: str, rooted: bool
) -> None:
    tsa.manner = manner  # type: ignore[assignment]
    with pytest.raises(LedgerError, match=says):
        client(tsa, tsa.roots if rooted else None).stamp(DIGEST)


def test_a_token_that_was_made_for_an_earlier_question_is_refused(tsa: Authority) -> None:
    tsa.manner = "replays"
    asking = client(tsa)
    asking.stamp(DIGEST)
    with pytest.raises(LedgerError, match="another nonce"):
        asking.stamp(DIGEST)
    assert len(set(tsa.asked)) == 2


def test_a_token_of_an_authority_that_the_roots_do_not_know_is_refused(tsa: Authority) -> None:
    with pytest.raises(LedgerError, match="not vouched for"):
        client(tsa, tsa.strangers).stamp(DIGEST)


def test_a_token_altered_in_one_byte_never_verifies(tsa: Authority) -> None:
    token, roots = client(tsa).stamp(DIGEST), roots_in(tsa.roots)
    signed = token.index(DIGEST)
    for at in (signed, signed + 31, signed + 40, len(token) - 5):
        altered = bytearray(token)
        altered[at] ^= 1
        with pytest.raises(LedgerError):
            read(bytes(altered), DIGEST, roots=roots)


def test_a_piece_of_an_answer_and_one_with_something_behind_it_are_refused_as_no_token(tsa: Authority) -> None:
    token = client(tsa).stamp(DIGEST)
    for hostile in [token[:end] for end in range(0, len(token), 13)] + [token + b"\x00", token * 2]:
        with pytest.raises(LedgerError):
            read(hostile, DIGEST)


def test_megabytes_are_not_read_and_silence_ends(tsa: Authority) -> None:
    tsa.manner = "floods"
    with pytest.raises(DeliveryError, match="more than 65536 bytes"):
        client(tsa).stamp(DIGEST)
    tsa.manner = "hangs"
    with pytest.raises(DeliveryError, match="timed out"):
        client(tsa, total=0.3).stamp(DIGEST)
    tsa.manner = "down"
    with pytest.raises(DeliveryError, match="answered 503"):
        client(tsa).stamp(DIGEST)


def test_an_authority_inside_is_dialled_only_where_the_operator_opened_the_door(tsa: Authority) -> None:
    with pytest.raises(EgressError):
        Client(tsa.url, Egress().post).stamp(DIGEST)
    assert tsa.asked == []


def test_a_file_without_certificates_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "roots").write_text("none")
    for path in (tmp_path / "roots", tmp_path / "missing"):
        with pytest.raises(ConfigurationError, match="AUDITOR_TIMESTAMP_ROOTS"):
            roots_in(path)


class Logs:
    """A tenant whose log has one signed head, and the process that signs."""

    def __init__(self, app: Database, ledger: Database, key: Path) -> None:
        self.app, self.now, self.tenant = app, NOW, uuid4()
        self.ledger = Ours(ledger, self.tenant)
        Identities(app).add_tenant(self.tenant, slug=f"t{self.tenant.hex}", name="Tests", now=NOW)
        store = PostgresStore(app, MemoryObjects())
        ensure(key)
        self._signing = Checkpointer(
            self.ledger, store.open, LogKeys(key), lambda tenant: f"auditor.example/{tenant}", lambda: self.now
        )
        with store.open(self.tenant) as books:
            books.heartbeat(now=NOW)
        self.round()

    def round(self) -> int:
        return self._signing.round(lambda *_: None)

    def stamp(self, place: Client) -> list[str]:
        """The day's time stamps; gives what failed."""
        told: list[str] = []

        def failed(_: UUID, error: AuditorError) -> None:
            told.append(str(error))

        stamp_daily(self.ledger, place, clock=lambda: self.now, failed=failed)
        return told

    def heads(self) -> list[Head]:
        with PostgresCopy.reading(self.app, self.tenant) as copy:
            return list(copy.heads())


class Ours(PostgresLedger):
    """The ledger's role, looking at this test's tenant alone."""

    def __init__(self, database: Database, tenant: UUID) -> None:
        super().__init__(database)
        self._tenant = tenant

    def tenants(self) -> tuple[UUID, ...]:
        return tuple(one for one in super().tenants() if one == self._tenant)

    def waiting(self) -> tuple[UUID, ...]:
        return tuple(one for one in super().waiting() if one == self._tenant)

    def unsigned(self) -> tuple[UUID, ...]:
        return tuple(one for one in super().unsigned() if one == self._tenant)


@pytest.fixture
def logs(app_database: Database, ledger_database: Database, tmp_path: Path) -> Logs:
    return Logs(app_database, ledger_database, tmp_path / "ledger.key")


def test_one_head_a_day_is_stamped_and_the_token_is_kept_beside_it(logs: Logs, tsa: Authority) -> None:
    place = client(tsa, tsa.roots)
    assert [logs.stamp(place) for _ in range(3)] == [[], [], []]
    (first,) = logs.heads()
    assert first.token is not None
    assert read(first.token, hashlib.sha256(first.note.encode()).digest(), roots=roots_in(tsa.roots)).verified
    logs.now = NOW + timedelta(hours=2)
    logs.round()
    logs.stamp(place)
    assert len(tsa.asked) == 1
    logs.now = NOW + DAY
    logs.round()
    logs.stamp(place)
    assert [one.token is not None for one in logs.heads()] == [True, False, True]
    assert len(tsa.asked) == 2


def test_a_copy_in_a_file_is_no_time_stamp(logs: Logs, tsa: Authority) -> None:
    with logs.ledger.open(logs.tenant) as book:
        book.mark_anchored(1, at=NOW)
    logs.stamp(client(tsa))
    assert logs.heads()[0].token is not None


def test_what_failed_is_told_and_asked_for_again_and_nothing_unfit_is_kept(logs: Logs, tsa: Authority) -> None:
    assert "not vouched for" in logs.stamp(client(tsa, tsa.strangers))[0]
    tsa.manner = "another imprint"
    assert "another digest" in logs.stamp(client(tsa))[0]
    tsa.manner = "down"
    assert "answered 503" in logs.stamp(client(tsa))[0]
    assert logs.heads()[0].token is None
    tsa.manner = "honest"
    assert logs.stamp(client(tsa)) == []
    assert logs.heads()[0].token is not None


def test_the_first_token_stays_whoever_asks_or_writes(logs: Logs, tsa: Authority, ledger_database: Database) -> None:
    (head,) = logs.heads()
    first = anchor(logs.ledger, logs.tenant, head, client(tsa), clock=lambda: NOW)
    second = anchor(logs.ledger, logs.tenant, head, client(tsa), clock=lambda: NOW)
    assert first != second
    assert logs.heads()[0].token == first
    for column, value in (("tsa_token", "'x'"), ("stamped_at", "now()")):
        with pytest.raises(DBAPIError, match="stays as it is"), ledger_database.under(logs.tenant) as connection:
            connection.execute(text(f"UPDATE ledger_checkpoint SET {column} = {value}"))


class Hung:
    """A notary over a real log, whose authority hangs."""

    def __init__(self, logs: Logs, place: Client, stop: threading.Event) -> None:
        self.logs, self.place, self.stop = logs, place, stop
        self.asked, self.answered = threading.Event(), threading.Event()
        self.hung: list[bool] = []

    def round(self) -> int:
        if not self.asked.wait(20):
            raise AssertionError("the authority was never asked")
        self.hung.append(not self.answered.is_set())
        self.logs.now += timedelta(hours=1)
        if len(self.hung) == 3:
            self.stop.set()
        return self.logs.round()

    def stamp(self) -> int:
        self.asked.set()
        told = self.logs.stamp(self.place)
        self.answered.set()
        return len(told)

    def recheck(self) -> int:
        return 0


def test_while_an_authority_hangs_entries_are_appended_heads_signed_and_the_heartbeat_goes_on(
    logs: Logs, tsa: Authority
) -> None:
    tsa.manner, stop = "hangs", threading.Event()
    notary = Hung(logs, client(tsa), stop)
    Checkpoints(notary, every=0.01).run(stop)
    sizes = [one.size for one in logs.heads()]
    assert sizes == [1, 2, 3, 4, 5]  # three rounds, the one on leaving, and the head from before
    assert notary.hung == [True] * 4


def test_a_refusal_in_the_smallest_form_is_a_refusal() -> None:
    with pytest.raises(LedgerError, match="status 2"):
        read(REFUSED, DIGEST)
