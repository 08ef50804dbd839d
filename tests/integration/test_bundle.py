"""A bundle from a company's real books: created, unpacked, verified by its own verifier, tampered with, derived again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auditor.cli import main
from auditor.collectors.aws._client import connect
from auditor.collectors.declared import resource_types
from auditor.domain.bundle import Asked, Bundle
from auditor.exports.issuing import Issuing
from auditor.pipeline.observe import observe
from auditor.pipeline.reperform import reperform
from auditor.proof.bundle import verify
from auditor.proof.canonical import canonical
from auditor.proof.note import VerifierKey
from auditor.proof.report import REFUSED, VERIFIED
from auditor.simulators.aws import AwsEmulator
from auditor.store.reads.bundle_opening import reading
from auditor.trust.signing import read
from tests.fixtures.bundles import LogKey, edit_lines, seal
from tests.fixtures.database import Provisioned
from tests.fixtures.spine import Spine, spine

AT = datetime(2026, 10, 1, 6, tzinfo=UTC)
SERVICES = ("s3", "cloudtrail", "kms")
BEGINS = datetime(2026, 10, 2, tzinfo=UTC)
ENDS = datetime(2026, 10, 5, tzinfo=UTC)
WHOLE = Asked(("hipaa", "soc2"), BEGINS, ENDS)


class KilledError(Exception):
    """Stands for the process being gone."""


@pytest.fixture(scope="module")
def world(provisioned: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    """Five days of a small company: a bucket that opens and closes again, one that goes, one that comes."""
    with AwsEmulator() as emulator:
        os.environ.update({k: v for k, v in emulator.environment().items() if k != "AWS_ENDPOINT_URL"})
        with spine(provisioned, emulator, tmp_path_factory.mktemp("home"), AT, SERVICES) as made:
            s3 = emulator.client("s3")
            for name in ("charts", "invoices", "passing"):
                s3.create_bucket(Bucket=name)
                block(made, name, on=True)
            for day in range(6):
                if day == 2:
                    block(made, "charts", on=False)
                    s3.delete_bucket(Bucket="passing")
                if day == 3:
                    block(made, "charts", on=True)
                    s3.create_bucket(Bucket="new")
                made.work.plan_due()
                made.drive()
                notarise(made)
                made.next_day()
            yield made
        for name in emulator.environment():
            os.environ.pop(name, None)


def block(world: Spine, name: str, *, on: bool) -> None:
    flags = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    world.emulator.client("s3").put_public_access_block(
        Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(flags, on)
    )


def notarise(world: Spine) -> None:
    with world.here.notary() as notary:
        notary.round()


def create(world: Spine, asked: Asked) -> Bundle:
    id_ = uuid4()
    with world.here.open_tenant(world.tenant) as books:
        books.ask_bundle(id_, asked, by="ann", now=world.clock())
    return finish(world, id_)


def finish(world: Spine, id_: UUID) -> Bundle:
    for _ in range(10):
        for claim in world.lease("export"):
            world.work.export(claim)
        notarise(world)
        with world.here.open_tenant(world.tenant) as books:
            bundle = books.bundle(id_)
        if bundle.state in {"done", "failed"}:
            assert bundle.error is None
            return bundle
        world.clock.forward(timedelta(seconds=3))
    raise AssertionError(bundle)


def unpack(world: Spine, bundle: Bundle, folder: Path) -> Path:
    packed = folder / "bundle.zip"
    packed.write_bytes(b"".join(world.here.issuing().read(world.tenant, bundle)))
    assert packed.stat().st_size == bundle.bytes
    with zipfile.ZipFile(packed) as file:
        file.extractall(folder)
    (root,) = [path for path in folder.iterdir() if path.is_dir()]
    return root


def real_key(world: Spine, origin: str) -> LogKey:
    secrets, _ = read(world.here.settings.ledger_key)
    return LogKey(Ed25519PrivateKey.from_private_bytes(secrets[0]), origin)


@pytest.fixture(scope="module")
def whole(world: Spine) -> Bundle:
    return create(world, WHOLE)


def test_a_bundle_is_verified_by_the_verifier_in_it_with_nothing_but_an_interpreter(
    world: Spine, whole: Bundle, tmp_path: Path
) -> None:
    root = unpack(world, whole, tmp_path)
    origin = (root / "data/ledger/checkpoint.end").read_text().split("\n")[0]
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "verify/", "--key", str(real_key(world, origin).verifier), "--json"],
        cwd=root,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    said = json.loads(ran.stdout)
    assert (ran.returncode, said["refused"]) == (0, None), ran.stdout
    assert (said["trust"], said["identity"]) == ("pinned", whole.digest)
    assert said["figures"]["runs"] == {"done": 5}  # three in the period, and what ended before the head it reaches to
    assert said["figures"]["judged_again"] > 20


def test_each_piece_of_evidence_names_the_calls_it_rests_on(world: Spine, whole: Bundle, tmp_path: Path) -> None:
    root = unpack(world, whole, tmp_path)
    lines = [json.loads(line) for line in (root / "data/evidence/index.jsonl").read_bytes().splitlines()]
    assert {line["place"] for line in lines if line["calls"] is None} == {"join"}, "what is derived asks nothing"
    assert {line["scope_version"] for line in lines} == {1}
    new = next(line for line in lines if line["resource"] == "arn:aws:s3:::new" and line["type"] == "aws.s3.bucket")
    name = new["calls"]["record"]
    record = json.loads((root / f"data/calls/{name[:2]}/{name}.json").read_bytes())["content"]
    calls = [record["calls"][number] for number in new["calls"]["numbers"]]
    assert calls[0]["operation"] == "s3:list_buckets"
    assert {call["params"].get("Bucket") for call in calls[1:]} == {"new", None}
    assert {call["operation"] for call in calls} == set(new["operations"])
    assert all(call["request_ids"] and call["request_ids"][0] for call in calls)
    host = world.emulator.url.removeprefix("http://")
    assert [call["endpoints"] for call in calls] == [[{"host": host, "tls": ""}]] * len(calls)
    assert "Token" not in json.dumps([list(call["params"]) for call in record["calls"]])


def test_a_bundle_of_an_emulated_account_says_everywhere_that_no_real_provider_answered(
    world: Spine, whole: Bundle, tmp_path: Path
) -> None:
    root = unpack(world, whole, tmp_path)
    host = world.emulator.url.removeprefix("http://")
    audit = json.loads((root / "data/audit.json").read_bytes())
    assert audit["not_a_real_provider"] == [{"source": str(world.source.id), "name": "tests", "host": host}]
    for file in ("README.txt", "data/index.html"):
        text = (root / file).read_text()
        assert "NOT A REAL PROVIDER" in text
        assert host in text
    assert "not a real provider" in verify(root).as_text()
    assert "aws cloudtrail lookup-events" in (root / "README.txt").read_text()


def test_a_record_of_calls_that_was_erased_is_named_no_more_and_the_bundle_holds(
    provisioned: Provisioned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AwsEmulator() as emulator:
        for name, value in emulator.environment().items():
            if name != "AWS_ENDPOINT_URL":
                monkeypatch.setenv(name, value)
        with spine(provisioned, emulator, tmp_path / "home", AT, ("s3",)) as made:
            emulator.client("s3").create_bucket(Bucket="charts")
            made.run()
            rows = made.rows(
                "SELECT k.address FROM object_key k JOIN evidence e USING (tenant_id, digest)"
                " WHERE e.resource_type = 'auditor.calls'"
            )
            assert rows
            with made.here.open_tenant(made.tenant) as books:
                books.destroy([row.address for row in rows], now=made.clock())
            notarise(made)
            made.next_day()
            day = AT.replace(hour=0)
            (tmp_path / "out").mkdir()
            root = unpack(made, create(made, Asked((), day, day + timedelta(days=1))), tmp_path / "out")
    lines = [json.loads(line) for line in (root / "data/evidence/index.jsonl").read_bytes().splitlines()]
    assert "arn:aws:s3:::charts" in {line["resource"] for line in lines}
    assert {line["calls"] for line in lines} == {None}
    assert verify(root).outcome == VERIFIED


def test_the_same_period_asked_again_is_the_same_bundle(world: Spine, whole: Bundle) -> None:
    again = create(world, WHOLE)
    assert again.id != whole.id
    assert again.digest == whole.digest


def test_a_bundle_tells_the_turns_of_the_period(world: Spine, whole: Bundle, tmp_path: Path) -> None:
    root = unpack(world, whole, tmp_path)
    lines = [json.loads(line) for line in (root / "data/findings.jsonl").read_bytes().splitlines()]
    told = {
        one["resource"].rpartition(":")[2]: [span["state"] for span in one["spans"]]
        for one in lines
        if one["check"] == "s3.bucket.public_access_blocked" and not one["spans"][0]["about_place"]
    }
    assert told["charts"][:3] == ["pass", "fail", "pass"]
    assert told["passing"] == ["pass", "absent"]
    assert told["invoices"] == ["pass"]


def test_a_build_killed_in_any_step_goes_on_and_gives_the_same_identity(
    world: Spine, whole: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = uuid4()
    with world.here.open_tenant(world.tenant) as books:
        books.ask_bundle(id_, WHOLE, by="ann", now=world.clock())
    written = Issuing.write

    def dies(self: Issuing, tenant: UUID, bundle: Bundle, tell: Callable[[str, int], None]) -> Any:
        def teller(step: str, percent: int) -> None:
            tell(step, percent)
            if step == "documents":
                raise KilledError

        return written(self, tenant, bundle, teller)

    with monkeypatch.context() as patched:
        patched.setattr(Issuing, "write", dies)
        (claim,) = world.lease("export")
        with pytest.raises(KilledError):
            world.work.export(claim)
    assert (world.here.settings.home / "exports" / str(id_)).is_dir()
    world.clock.forward(timedelta(minutes=5))
    assert finish(world, id_).digest == whole.digest
    assert not (world.here.settings.home / "exports" / str(id_)).exists()


def omitted(root: Path) -> None:
    edit_lines(root / "data/findings.jsonl", lambda lines: lines.pop(len(lines) // 2))


def edited(root: Path) -> None:
    def change(lines: list[dict[str, Any]]) -> None:
        next(span for one in lines for span in one["spans"] if span["state"] == "fail")["state"] = "pass"

    edit_lines(root / "data/findings.jsonl", change)


def flipped(root: Path) -> None:
    path = min((root / "data/evidence").rglob("*/*.json"))
    stored = bytearray(path.read_bytes())
    stored[-3] ^= 1
    path.write_bytes(bytes(stored))


def redefined(root: Path) -> None:
    path = min((root / "data/controls").glob("s3.bucket.public_access_blocked@*.json"))
    said = json.loads(path.read_bytes())
    path.write_bytes(canonical({**said, "check": {**said["check"], "pass_when": "true"}}) + b"\n")


def shortened(root: Path) -> None:
    path = root / "data/audit.json"
    said = json.loads(path.read_bytes())
    path.write_bytes(canonical({**said, "period": {**said["period"], "from": "2026-10-03T12:00:00Z"}}) + b"\n")
    edit_lines(root / "data/findings.jsonl", lambda lines: lines.pop(0))


def set_back(root: Path) -> None:
    edit_lines(root / "data/ledger/entries.jsonl", lambda lines: lines[-1].update(at="2026-10-02T00:00:00Z"))


@pytest.mark.parametrize("tampering", [omitted, edited, flipped, redefined, shortened, set_back])
def test_a_bundle_changed_and_signed_again_with_the_real_key_is_refused(
    world: Spine, whole: Bundle, tmp_path: Path, tampering: Callable[[Path], None]
) -> None:
    root = unpack(world, whole, tmp_path)
    key = real_key(world, (root / "data/ledger/checkpoint.end").read_text().split("\n")[0])
    assert verify(seal(root, key), key.verifier).outcome == VERIFIED
    tampering(root)
    assert verify(seal(root, key), key.verifier).outcome == REFUSED


def test_one_control_is_a_part_that_is_proved_and_says_so(world: Spine, tmp_path: Path) -> None:
    control = next(one.id for one in world.here.library.controls if any(c.id.startswith("s3.") for c in one.checks))
    bundle = create(world, Asked(("soc2",), BEGINS, ENDS, controls=(control,)))
    root = unpack(world, bundle, tmp_path)
    said = verify(root, VerifierKey.parse((root / "keys/log.vkey").read_text()))
    assert (said.outcome, said.where, said.what) == (VERIFIED, "", "")
    assert said.figures["partial"] == {"controls": [control]}
    lines = [json.loads(line) for line in (root / "data/findings.jsonl").read_bytes().splitlines()]
    assert {one["control"] for one in lines} == {control}


def test_every_document_is_derived_again_from_the_evidence(world: Spine, whole: Bundle, tmp_path: Path) -> None:
    told = reperform(unpack(world, whole, tmp_path), resource_types())
    assert told.differences == []
    assert told.done > 5
    assert all("before the period" in reason for reason in told.not_done), told.not_done


def test_a_release_that_reads_evidence_otherwise_still_tells_the_documents_that_were_judged(
    world: Spine, whole: Bundle
) -> None:
    sql = "SELECT digest, evidence_digest FROM document ORDER BY digest"
    wanted = [(row.digest, row.evidence_digest) for row in world.rows(sql)]
    assert wanted
    knows_nothing = partial(
        reading, world.here.app, world.here.objects, world.here.library, lambda *_: None, "auditor of tomorrow"
    )
    with knows_nothing(world.tenant, whole) as source:
        found = source.documents(wanted)
    assert found.keys() == {name for name, _ in wanted}


def test_who_took_a_bundle_is_written_down_and_a_bundle_that_was_issued_stays(world: Spine, whole: Bundle) -> None:
    with world.here.open_tenant(world.tenant) as books:
        books.take_bundle(whole.id, by="auditor@firm.example", now=world.clock())
    with world.here.open_tenant(world.tenant) as books:
        told = next(one for one in books.bundles() if one.id == whole.id)
    assert [one.by for one in told.taken] == ["auditor@firm.example"]
    assert world.rows("SELECT 1 FROM user_action WHERE action = 'bundle.take' AND subject = :id", id=str(whole.id))


def test_a_document_is_erased_with_its_evidence(world: Spine) -> None:
    objects, evidence = world.here.objects, uuid4().bytes
    name, said = hashlib.sha256(evidence).hexdigest(), b'{"name":"of a patient"}'
    address = objects.put(world.tenant, name, evidence)
    sealed = objects.seal_beside(world.tenant, [name], [said])
    assert said not in sealed[0]
    assert objects.open_beside(world.tenant, [name], sealed) == [said]
    with world.here.open_tenant(world.tenant) as books:
        books.destroy([address], now=world.clock())
    assert objects.open_beside(world.tenant, [name], sealed) == [None]


def test_observing_says_by_which_request_ids_the_trail_has_our_calls(
    world: Spine, whole: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = unpack(world, whole, tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", world.emulator.url)
    (tmp_path / "sample.txt").write_text("arn:aws:s3:::invoices\n")
    main(["observe", str(root), "--sample", str(tmp_path / "sample.txt")])
    told = capsys.readouterr()
    line = next(line for line in told.out.splitlines() if "s3:get_bucket_encryption in" in line)
    request_id = line.rpartition(": ")[2]
    assert any(request_id in file.read_text() for file in root.glob("data/calls/*/*.json"))
    assert "aws cloudtrail lookup-events" in told.err


def test_sampled_resources_are_read_live_and_what_changed_since_is_named(
    world: Spine, whole: Bundle, tmp_path: Path
) -> None:
    root = unpack(world, whole, tmp_path)
    sample = ["arn:aws:s3:::invoices", "arn:aws:s3:::passing", "arn:aws:s3:::charts", "arn:aws:s3:::never"]
    block(world, "charts", on=False)

    def call(_account: str) -> Any:
        return connect(endpoint_url=world.emulator.url, threads=4)

    with ThreadPoolExecutor(4) as pool:
        told = list(observe(root, sample, resource_types(), call, pool=pool, clock=world.clock))
    block(world, "charts", on=True)
    said = {
        (one.sampled.resource.rpartition(":")[2], one.said): one
        for one in told
        if one.sampled.resource_type in {"", "aws.s3.bucket"}
    }
    assert ("invoices", "same") in said
    traced = said["invoices", "same"].sampled.calls
    assert traced[0]["operation"] == "s3:list_buckets"
    assert traced[0]["request_ids"][0]
    assert ("passing", "gone") in said
    assert any("block" in field for field in said["charts", "different"].fields)
    assert "no evidence" in said["never", "not_read"].why
