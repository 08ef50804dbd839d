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
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auditor.bootstrap import Work
from auditor.cli import main
from auditor.collectors.aws._client import connect
from auditor.collectors.declared import resource_types
from auditor.domain.bundle import Asked, Bundle
from auditor.exports.issuing import Issuing
from auditor.pipeline.observe import observe
from auditor.pipeline.reperform import reperform
from auditor.proof.bundle import verify
from auditor.proof.canonical import canonical, instant
from auditor.proof.note import VerifierKey
from auditor.proof.report import REFUSED, VERIFIED
from auditor.simulators.aws import AwsEmulator
from auditor.store.reads.bundle_opening import estimate, reading
from auditor.trust.signing import read
from tests.fixtures.authority import authority, openssl
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
    """Days of a small company: a bucket that opens and closes again, one that goes, one that comes, one after the period."""
    with AwsEmulator() as emulator:
        os.environ.update({k: v for k, v in emulator.environment().items() if k != "AWS_ENDPOINT_URL"})
        with spine(provisioned, emulator, tmp_path_factory.mktemp("home"), AT, SERVICES) as made:
            s3 = emulator.client("s3")
            for name in ("audit", "charts", "invoices", "logs", "passing"):
                s3.create_bucket(Bucket=name)
                block(made, name, on=True)
            emulator.client("cloudtrail").create_trail(Name="all", S3BucketName="audit", IsMultiRegionTrail=True)
            s3.put_bucket_acl(Bucket="logs", ACL="log-delivery-write")
            for day in range(6):
                if day == 1:  # a turn of joins over this bucket, and of no check on it
                    told = {"TargetBucket": "logs", "TargetPrefix": "audit/"}
                    s3.put_bucket_logging(Bucket="audit", BucketLoggingStatus={"LoggingEnabled": told})
                if day == 2:  # and the other way round
                    s3.put_bucket_versioning(Bucket="audit", VersioningConfiguration={"Status": "Enabled"})
                    block(made, "charts", on=False)
                    s3.delete_bucket(Bucket="passing")
                if day == 3:
                    block(made, "charts", on=True)
                    s3.create_bucket(Bucket="new")
                if day == 4:
                    s3.create_bucket(Bucket="late")
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


def test_a_period_ends_at_a_head_that_a_third_party_stamped_and_its_manifest_is_stamped_too(
    world: Spine, tmp_path: Path
) -> None:
    asked = Asked(("hipaa",), BEGINS, ENDS + timedelta(days=1))
    before = create(world, asked)
    with authority(tmp_path / "tsa") as tsa, ThreadPoolExecutor(1) as pool:
        settings = world.here.settings.model_copy(update={"timestamp_url": tsa.url, "timestamp_roots": tsa.roots})
        here = replace(world.here, settings=settings)
        stamping = replace(world, here=here, work=Work(here, pool))
        with here.notary() as notary:
            assert notary.stamp() >= 1
        bundle = create(stamping, asked)
        assert (bundle.head_size or 0) > (before.head_size or 0)
        (tmp_path / "b").mkdir()
        root = unpack(world, bundle, tmp_path / "b")
        said = verify(root, VerifierKey.parse((root / "keys/log.vkey").read_text()))
        assert (said.outcome, said.where, said.what) == (VERIFIED, "", "")
        assert len(said.figures["time_stamps"]) == 2
        for of in ("data/ledger/checkpoint.end", "manifest-sha256.txt"):
            openssl(root, "ts", "-verify", "-data", of, "-in", f"{of}.tsr", "-CAfile", str(tsa.roots))
        tsa.manner = "down"
        again = create(stamping, asked)
        assert again.digest == bundle.digest  # the token over the manifest is beside it, not in it
        (tmp_path / "c").mkdir()
        assert not (unpack(world, again, tmp_path / "c") / "manifest-sha256.txt.tsr").exists()


def test_a_sample_of_resources_is_a_part_that_is_proved_and_says_of_which_it_tells_nothing(
    world: Spine, tmp_path: Path
) -> None:
    wanted = ("arn:aws:s3:::charts", "arn:aws:s3:::never")
    asked = Asked((), BEGINS, ENDS, resources=wanted)
    with world.here.app.reading(world.tenant) as connection:
        counted = estimate(connection, asked, world.here.library)
    assert counted.without == ("arn:aws:s3:::never",)
    root = unpack(world, create(world, asked), tmp_path)
    said = verify(root, VerifierKey.parse((root / "keys/log.vkey").read_text()))
    assert (said.outcome, said.where, said.what) == (VERIFIED, "", "")
    assert said.figures["partial"] == {"resources": sorted(wanted)}
    assert any("arn:aws:s3:::never" in one for one in said.remarks)
    lines = [json.loads(line) for line in (root / "data/findings.jsonl").read_bytes().splitlines()]
    assert {one["resource"] for one in lines} == {"arn:aws:s3:::charts"}
    assert len(lines) == counted.findings > 5


def joined_of(root: Path) -> list[dict[str, Any]]:
    """The evidence of joined documents that spans of a bundle rest on."""
    lines = [json.loads(line) for line in (root / "data/findings.jsonl").read_bytes().splitlines()]
    wanted = {(span["evidence_digest"], one["resource"]) for one in lines for span in one["spans"]}
    index = [json.loads(line) for line in (root / "data/evidence/index.jsonl").read_bytes().splitlines()]
    return [one for one in index if one["place"] == "join" and (one["digest"], one["resource"]) in wanted]


def test_every_document_is_derived_again_from_the_evidence_also_those_joined_before_and_after_the_period(
    world: Spine, whole: Bundle, tmp_path: Path
) -> None:
    root = unpack(world, whole, tmp_path)
    built = [instant(one["collected_at"]) for one in joined_of(root)]
    assert min(built) < BEGINS
    assert max(built) >= ENDS
    told = reperform(root, resource_types())
    assert told.differences == []
    assert (told.not_done, told.exit_code) == ({}, 0)
    assert told.done > len(built)


def test_a_join_from_before_the_period_is_derived_again_though_no_span_rests_on_its_inputs(
    world: Spine, tmp_path: Path
) -> None:
    root = unpack(world, create(world, Asked((), BEGINS + timedelta(days=2), ENDS)), tmp_path)
    assert verify(root, VerifierKey.parse((root / "keys/log.vkey").read_text())).outcome == VERIFIED
    told = reperform(root, resource_types())
    assert (told.differences, told.not_done, told.exit_code) == ([], {}, 0)
    index = [json.loads(line) for line in (root / "data/evidence/index.jsonl").read_bytes().splitlines()]
    over = [one["stood"] for one in index if one["type"] == "aws.s3.bucket" and one["resource"].endswith(":audit")]
    assert any(instant(since) < instant(until) < BEGINS + timedelta(days=2) for ((since, until),) in over if until)


def parts(world: Spine) -> dict[str, Asked]:
    trail = next(one for one in world.findings("cloudtrail.trail.bucket_private") if one.endswith("trail/all"))
    return {
        "control": Asked((), BEGINS, ENDS, controls=("logs-protected-and-kept",)),
        "source": Asked((), BEGINS, ENDS, sources=(str(world.source.id),)),
        "sample": Asked((), BEGINS, ENDS, resources=(trail, "arn:aws:s3:::late")),
    }


@pytest.mark.parametrize("which", ["control", "source", "sample"])
def test_a_part_holds_what_its_own_joins_were_built_over_and_nothing_else(
    world: Spine, whole: Bundle, tmp_path: Path, which: str
) -> None:
    for name in ("part", "whole"):
        (tmp_path / name).mkdir()
    root = unpack(world, create(world, parts(world)[which]), tmp_path / "part")
    assert verify(root, VerifierKey.parse((root / "keys/log.vkey").read_text())).outcome == VERIFIED
    assert joined_of(root)
    told = reperform(root, resource_types())
    assert (told.differences, told.not_done, told.exit_code) == ([], {}, 0)
    if which != "source":
        assert evidence_in(root) < evidence_in(unpack(world, whole, tmp_path / "whole"))


def evidence_in(root: Path) -> int:
    return sum(1 for _ in (root / "data/evidence").glob("*/*.json"))


def test_a_bundle_of_an_earlier_release_says_which_joins_it_cannot_show(
    world: Spine, whole: Bundle, tmp_path: Path
) -> None:
    root = unpack(world, whole, tmp_path)
    (root / "data/coverage_joins.jsonl").unlink()
    told = reperform(root, resource_types())
    assert (told.differences, told.exit_code) == ([], 4)
    assert all("written by an earlier release" in reason for reason in told.not_done)


def test_a_join_over_what_was_erased_since_is_named_and_no_difference(
    world: Spine, whole: Bundle, tmp_path: Path
) -> None:
    root = unpack(world, whole, tmp_path)
    index = root / "data/evidence/index.jsonl"
    lines = [json.loads(line) for line in index.read_bytes().splitlines()]
    bucket = next(one for one in lines if one["type"] == "aws.s3.bucket" and one["resource"].endswith(":invoices"))
    edit_lines(index, lambda told: told.remove(bucket))
    (root / "data/evidence/gone.jsonl").write_bytes(canonical(bucket) + b"\n")
    told = reperform(root, resource_types())
    assert told.differences == []
    assert any("was erased since" in reason for reason in told.not_done)


def test_a_release_that_reads_evidence_otherwise_still_tells_the_documents_that_were_judged(
    world: Spine, whole: Bundle
) -> None:
    sql = "SELECT digest, evidence_digest FROM document ORDER BY digest"
    wanted = [(row.digest, row.evidence_digest) for row in world.rows(sql)]
    assert wanted
    knows_nothing = partial(
        reading, world.here.app, world.here.objects, world.here.library, lambda *_: None, {}, "auditor of tomorrow"
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
