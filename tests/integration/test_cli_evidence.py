"""``auditor evidence`` as an operator types it, over a configured installation: in a folder, and in S3 under a KMS key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from auditor.bootstrap import Installation
from auditor.cli import main
from auditor.domain.bundle import Asked
from auditor.domain.errors import ConfigurationError, EvidenceError
from auditor.domain.ports import Claim
from auditor.domain.retention import Hold
from auditor.settings import Settings, configured
from auditor.simulators.aws import AwsEmulator
from auditor.store.objects.blobs import SEALED
from auditor.store.objects.s3 import S3Blobs
from tests.fixtures.database import Provisioned

DATA = b"a tag with a name in it"
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def slug(provisioned: Provisioned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tenant of an installation that the environment describes."""
    monkeypatch.setenv("AUDITOR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AUDITOR_DATABASE_URL", provisioned.app_url)
    monkeypatch.setenv("AUDITOR_CLAIM_DATABASE_URL", provisioned.claims_url)
    name = f"t{uuid4().hex[:8]}"
    with Installation.open(configured()) as here:
        here.identities.add_tenant(uuid4(), slug=name, name="T", now=here.clock())
    return name


def tenant_of(here: Installation, slug: str) -> UUID:
    found = here.identities.tenant(slug)
    assert found is not None
    return found.id


def put(slug: str) -> None:
    with Installation.open(configured()) as here:
        here.objects.put(tenant_of(here, slug), DIGEST, DATA)


def read(slug: str) -> bytes:
    with Installation.open(configured()) as here:
        return here.objects.get(tenant_of(here, slug), DIGEST)


@pytest.fixture
def typed(slug: str, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Type one command; gives its exit code and what it said on both outputs."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["evidence", *words, "--tenant", slug])
        said = capsys.readouterr()
        return code, said.out, said.err

    yield run
    capsys.readouterr()


def test_shredding_asks_for_yes_then_destroys_and_hands_a_certificate_over(
    slug: str, typed: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    put(slug)
    told = ("shred", "--digest", DIGEST, "--why", "a name in a tag")
    code, _, said = typed(*told)
    assert (code, "--yes" in said) == (2, True)
    assert read(slug) == DATA
    file = tmp_path / "certificate.json"
    code, out, _ = typed(*told, "--yes", "--by", "ana", "--certificate", str(file))
    assert (code, "1 objects were erased" in out) == (0, True)
    certificate = json.loads(file.read_text())["certificate"]
    assert (certificate["by"], certificate["why"], certificate["dry_run"]) == ("ana", "a name in a tag", False)
    assert [one["digest"] for one in certificate["objects"]] == [DIGEST]
    with pytest.raises(EvidenceError, match="was erased"):
        read(slug)


def test_a_purge_before_its_time_keeps_everything_and_says_why(
    slug: str, typed: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(slug)
    assert typed("purge", "--dry-run") == (0, "0 objects would be erased; kept: 1 retained\n", "")
    assert typed("purge")[1] == "0 objects were erased; kept: 1 retained\n"
    assert read(slug) == DATA
    monkeypatch.setenv("AUDITOR_RETENTION_DAYS", "0")
    code, _, said = typed("purge")
    assert (code, "AUDITOR_RETENTION_DAYS" in said) == (2, True)


def test_a_hold_is_placed_listed_obeyed_and_released(slug: str, typed: Callable[..., tuple[int, str, str]]) -> None:
    put(slug)
    code, out, _ = typed("hold", "add", "--why", "matter 7", "--by", "ana")
    hold = out.split()[1]
    assert (code, "over everything" in out) == (0, True)
    assert "by ana: matter 7" in typed("hold", "list")[1]
    code, _, said = typed("shred", "--everything", "--why", "w", "--yes")
    assert (code, "legal hold" in said) == (2, True)
    assert typed("purge", "--dry-run")[1].endswith("kept: 1 on hold\n")
    assert typed("hold", "release", "--hold", hold)[0] == 0
    assert typed("hold", "list")[1] == ""
    assert "released" in typed("hold", "list", "--all")[1]
    assert typed("hold", "release", "--hold", hold)[0] == 2
    assert typed("shred", "--everything", "--why", "w", "--yes")[0] == 0


def test_a_bundle_is_listed_with_its_end_and_its_purge_is_named_by_the_bundle(
    slug: str,
    typed: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def then() -> datetime:
        return datetime.now(UTC) - timedelta(days=30)

    with Installation.open(configured(), clock=then) as here:
        tenant, id_, now = tenant_of(here, slug), uuid4(), here.clock()
        here.objects.put(tenant, DIGEST, DATA)
        with here.open_tenant(tenant) as books:
            books.ask_bundle(id_, Asked((), now - timedelta(days=9), now), by="ana", now=now, lease_until=now)
            claim = Claim(tenant, id_, "export", 1)
            books.finish_bundle(claim, identity="d" * 64, size=len(DATA), parts=[DIGEST], now=now)
    monkeypatch.setenv("AUDITOR_RETENTION_DAYS", "31")
    main(["bundle", "list", "--tenant", slug])
    assert f"kept until {now + timedelta(days=31):%Y-%m-%d}, longer under a hold" in capsys.readouterr().out
    assert "0 objects would be erased; kept: 1 retained" in typed("purge", "--dry-run")[1]
    monkeypatch.setenv("AUDITOR_RETENTION_DAYS", "29")
    out = typed("purge")[1]
    assert f"{DIGEST}  last in effect {now:%Y-%m-%d}" in out
    assert f"of bundle {id_}\n1 objects were erased" in out
    main(["bundle", "list", "--tenant", slug])
    assert f"purged {datetime.now(UTC):%Y-%m-%d}: nobody can read it any more" in capsys.readouterr().out


def test_what_people_did_is_removed_after_its_period_by_the_owner_alone_and_its_removal_is_on_the_ledger(
    slug: str,
    typed: Callable[..., tuple[int, str, str]],
    provisioned: Provisioned,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Installation.open(configured()) as here:
        tenant = tenant_of(here, slug)
        with here.open_tenant(tenant) as books:
            for days in (400, 300, 1):
                books.record_action("ana", "source.add", f"s{days}", now=here.clock() - timedelta(days=days))
            books.place_hold(Hold(uuid4(), "matter 9", "ana", here.clock()))
            old = books.acts_before(here.clock() - timedelta(days=365))

        def told(sql: str) -> list[object]:
            with here.app.under(tenant) as connection:
                return list(connection.execute(text(sql)).scalars())

        monkeypatch.setenv("AUDITOR_AUDIT_LOG_DAYS", "200")
        assert "2 lines of the record of acts are past their period: auditor evidence purge --acts" in typed("purge")[1]
        code, _, said = typed("purge", "--acts")
        assert (code, "AUDITOR_MIGRATE_DATABASE_URL" in said) == (2, True)
        with pytest.raises(ProgrammingError, match="permission denied"), here.open_tenant(tenant) as books:
            books.forget_acts([old[0].id])
        monkeypatch.setenv("AUDITOR_MIGRATE_DATABASE_URL", provisioned.owner_url)
        assert typed("purge", "--acts")[1] == "0 acts were removed; kept: 2 on hold\n"
        typed("hold", "release", "--hold", typed("hold", "list")[1].split()[0])
        assert "2 acts would be removed" in typed("purge", "--acts", "--dry-run")[1]
        assert told("SELECT count(*) FROM user_action WHERE subject IN ('s400', 's300')") == [2]
        file = tmp_path / "certificate.json"
        assert "2 acts were removed" in typed("purge", "--acts", "--certificate", str(file))[1]
        assert told("SELECT subject FROM user_action WHERE action = 'source.add'") == ["s1"]
        written = json.loads(file.read_text())
        assert [one["action"] for one in written["certificate"]["objects"]] == ["source.add"] * 2
        (act,) = told("SELECT data ->> 'certificate' FROM user_action WHERE action = 'evidence.purge_acts'")
        assert act == written["sha256"]
        with Installation.open(configured()) as owning, owning.owned() as owned, owned.open(tenant) as books:
            noted = books._run("SELECT convert_from(entry, 'UTF8') FROM ledger_pending").scalars().all()
        assert len([one for one in noted if '"type":"erasure"' in one]) == 1
        (salted,) = told(f"SELECT count(*) FROM ledger_salt WHERE subject = '{old[0].id}'")
        assert salted == 0


def test_every_verb_has_help_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["purge"], ["uphold"], ["shred"], ["hold"], ["hold", "add"], ["hold", "release"], ["hold", "list"]):
        with pytest.raises(SystemExit) as left:
            main(["evidence", *words, "--help"])
        assert left.value.code == 0
        assert "examples:\n  auditor evidence" in capsys.readouterr().out


def test_a_locked_bucket_and_a_key_service_serve_a_whole_installation(
    slug: str, typed: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AwsEmulator() as emulator:
        for name, value in emulator.environment().items():
            monkeypatch.setenv(name, value)
        emulator.client("s3").create_bucket(Bucket="vault", ObjectLockEnabledForBucket=True)
        arn = emulator.client("kms").create_key()["KeyMetadata"]["Arn"]
        monkeypatch.setenv("AUDITOR_OBJECTS", "s3://vault/house")
        monkeypatch.setenv("AUDITOR_OBJECTS_ENDPOINT_URL", emulator.url)
        monkeypatch.setenv("AUDITOR_OBJECT_LOCK", "compliance")
        monkeypatch.setenv("AUDITOR_KMS_KEY_ARN", arn)
        (tmp_path / "home" / "root.key").unlink(missing_ok=True)
        put(slug)
        assert read(slug) == DATA
        assert not (tmp_path / "home" / "root.key").exists()
        with Installation.open(configured()) as here:
            sealed = here.keyring.seal(tenant_of(here, slug), "webhook secret", b"s")
            assert here.keyring.open(tenant_of(here, slug), "webhook secret", sealed) == b"s"
            assert isinstance(here.blobs, S3Blobs)
        keys = [one["Key"] for one in emulator.client("s3").list_objects_v2(Bucket="vault")["Contents"]]
        assert [key.startswith("house/t/") for key in keys] == [True]
        body = emulator.client("s3").get_object(Bucket="vault", Key=keys[0])
        assert body["Body"].read()[:1] == SEALED
        assert body["ObjectLockMode"] == "COMPLIANCE"
        assert "1 objects were locked" in typed("hold", "add", "--why", "matter 8")[1]
        held = typed("hold", "list")[1].split()[0]
        assert "1 objects are held no longer" in typed("hold", "release", "--hold", held)[1]
        code, out, _ = typed("shred", "--digest", DIGEST, "--why", "w", "--yes")
        assert (code, "the bytes of 1 are locked" in out) == (0, True)
        assert emulator.client("s3").list_objects_v2(Bucket="vault")["KeyCount"] == 1
        with pytest.raises(EvidenceError, match="was erased"):
            read(slug)


def test_settings_that_name_no_bucket_or_no_key_are_refused_at_the_start(
    slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert slug
    for name, value in (("AUDITOR_OBJECTS", "s3://"), ("AUDITOR_KMS_KEY_ARN", "mine"), ("AUDITOR_ROOT_KEY", "short")):
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            with pytest.raises(ConfigurationError, match=name), Installation.open(configured()):
                pass


def test_objects_lie_in_a_folder_of_the_operator_s_if_one_is_named(tmp_path: Path) -> None:
    assert Settings(home=tmp_path).objects_dir == tmp_path / "objects"
    assert Settings(home=tmp_path, objects=str(tmp_path / "there")).objects_dir == tmp_path / "there"
