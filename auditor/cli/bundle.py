"""``auditor bundle``, ``reperform`` and ``observe``: hand evidence over, check what was handed over, do it again."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from auditor.cli.connect import find_source, tenant_of
from auditor.domain.errors import ConfigurationError, ExportError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from auditor.bootstrap import Installation
    from auditor.domain.bundle import Asked, Bundle, Issued, Signed, Written
    from auditor.exports.issuing import Issuing
    from auditor.proof.report import Report

EPILOG = """examples:
  auditor bundle create --framework hipaa --from 2026-01-01 --to 2027-01-01 --out hipaa-2026.zip
  auditor bundle create --framework soc2 --control no-public-buckets --from 2026-10-01 --to 2026-11-01 --out part.zip
  auditor bundle create --source production --from 2026-10-01 --to 2026-11-01 --out production.zip
  auditor bundle create --framework soc2 --sample sample.csv --from 2026-01-01 --to 2027-01-01 --out sample.zip
  auditor bundle list
  auditor bundle verify hipaa-2026.zip --key 'auditor.example/8f…+5e2b6297+Ac3P…'
  auditor bundle open hipaa-2026.zip
  auditor reperform hipaa-2026.zip
  auditor observe hipaa-2026.zip --sample sample.txt --profile auditor-read-only

verify, open, reperform and observe need no installation: no database (open brings a blank one and removes it), no key but the
public one, and but for observe no network.
exit codes: verify 0 verified, 1 refused, 2 unusable; reperform 0 all done and as judged, 1 refused or another document, 4 not all
could be done; observe 0 all read and as they were, 1 some are not, 4 not all could be read.
"""
_RAW: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EPILOG}
LEASE = timedelta(minutes=10)


def add(commands: Any) -> None:
    """``bundle create|list|verify|open``, ``reperform``, ``observe``."""
    bundle = commands.add_parser("bundle", help="what an auditor takes away, and how it is checked", **_RAW)
    verbs = bundle.add_subparsers(metavar="VERB", required=True)
    create = verbs.add_parser("create", help="write the evidence of a period into one file", **_RAW)
    create.add_argument("--framework", action="append", default=[], help="repeatable (default: all)")
    create.add_argument("--control", action="append", default=[], metavar="ID", help="a part: these controls alone")
    create.add_argument(
        "--source", action="append", default=[], help="a part: these sources alone; name, account or id"
    )
    create.add_argument(
        "--resource", action="append", default=[], metavar="ID", help="a part: these resources alone, by native id"
    )
    create.add_argument(
        "--sample",
        type=Path,
        metavar="FILE",
        help="a part: the resources in it, one id a line, or a CSV with a column resource",
    )
    create.add_argument("--from", dest="begins", type=_day, required=True, metavar="DAY", help="first day, UTC")
    create.add_argument(
        "--to", dest="ends", type=_day, required=True, metavar="DAY", help="the day after the last, UTC"
    )
    create.add_argument("--out", type=Path, required=True, metavar="FILE")
    create.add_argument("--wait", type=float, default=60.0, metavar="SECONDS", help="for the signature (default: 60)")
    _who(create)
    create.set_defaults(run=run_create)
    listing = verbs.add_parser("list", help="every bundle asked for, and who took it", **_RAW)
    _who(listing)
    listing.set_defaults(run=run_list)
    verify = verbs.add_parser("verify", help="check a bundle; what its own verify/ does", **_RAW)
    verify.add_argument("bundle", type=Path, metavar="FILE|DIR")
    verify.add_argument("--key", help="the log's public key as you got it by another way, or a file holding it")
    verify.add_argument("--json", action="store_true")
    verify.set_defaults(run=run_verify)
    show = verbs.add_parser("open", help="show a bundle in the dashboard, read-only, on this machine, offline", **_RAW)
    show.add_argument("bundle", type=Path, metavar="FILE|DIR")
    show.add_argument("--key", help="as for verify")
    show.add_argument("--port", type=int, default=0, help="(default: a free one)")
    show.add_argument("--no-browser", action="store_true", help="print the link and open nothing")
    show.add_argument("--pages", action="store_true", help="the bundle's own pages instead: no database is needed")
    show.set_defaults(run=run_open)
    again = commands.add_parser("reperform", help="derive a bundle's documents again from its evidence", **_RAW)
    again.add_argument("bundle", type=Path, metavar="FILE|DIR")
    again.add_argument("--key", help="as for bundle verify")
    again.set_defaults(run=run_reperform)
    live = commands.add_parser("observe", help="read sampled resources of a bundle live, and compare", **_RAW)
    live.add_argument("bundle", type=Path, metavar="FILE|DIR")
    live.add_argument("--sample", type=Path, required=True, metavar="FILE", help="as for bundle create")
    live.add_argument("--key", help="as for bundle verify")
    live.add_argument("--profile", help="AWS profile with read-only credentials of your own")
    live.set_defaults(run=run_observe)


def _who(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tenant", default="default", metavar="SLUG", help="organisation (default: default)")
    parser.add_argument("--by", default="operator", metavar="NAME", help="who does this, for the record")


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no day: YYYY-MM-DD") from error


def _open() -> Installation:
    from auditor.bootstrap import Installation  # noqa: PLC0415  (the command pays for what it uses)
    from auditor.settings import configured  # noqa: PLC0415

    return Installation.open(configured())


def run_create(arguments: argparse.Namespace) -> int:
    """Ask for a bundle, build it here, and take it."""
    if arguments.out.is_dir() or not arguments.out.absolute().parent.is_dir():
        raise ConfigurationError(
            f"--out: {arguments.out} {'is a folder' if arguments.out.is_dir() else 'lies in a folder that is not there'}",
            advice="Give the file to write, such as hipaa-2026.zip; nothing was asked for yet",
        )
    named = () if arguments.sample is None else _sample(arguments.sample)
    with _open() as here:
        tenant = tenant_of(here, arguments.tenant)
        id_ = uuid4()
        with here.open_tenant(tenant) as books:
            sources = [str(find_source(books.sources(), one).id) for one in arguments.source]
        asked = _asked(arguments, here, sources, (*arguments.resource, *named))
        _tell_without(here, tenant, asked)
        with here.open_tenant(tenant) as books:
            now = here.clock()
            books.ask_bundle(id_, asked, by=arguments.by, now=now, lease_until=now + LEASE)
        bundle = _build(here, tenant, id_, arguments.wait)
        part = arguments.out.with_name(arguments.out.name + ".part")
        with part.open("wb") as file:
            for piece in here.issuing().read(tenant, bundle):
                file.write(piece)
        with here.open_tenant(tenant) as books:
            books.take_bundle(id_, by=arguments.by, now=here.clock())
        part.replace(arguments.out)
    print(f"{arguments.out}  {bundle.bytes} bytes")
    print(f"identity {bundle.digest}")
    print(
        f"check it: auditor bundle verify {arguments.out} --key KEY  (hand over KEY by another way: auditor ledger key)"
    )
    return 0


def _asked(
    arguments: argparse.Namespace, here: Installation, sources: Sequence[str], resources: Sequence[str]
) -> Asked:
    from auditor.domain.bundle import Asked  # noqa: PLC0415  (likewise)

    for named, known, noun in (
        (arguments.framework, here.library.framework, "framework"),
        (arguments.control, here.library.control, "control"),
    ):
        unknown = [one for one in named if one not in known]
        if unknown:
            raise ConfigurationError(f"no {noun} is called {unknown[0]}", advice="See: auditor controls list")
    return Asked(
        frameworks=tuple(arguments.framework),
        begins=arguments.begins,
        ends=arguments.ends,
        controls=tuple(arguments.control),
        sources=tuple(sources),
        resources=tuple(dict.fromkeys(resources)),
    )


def _sample(path: Path) -> tuple[str, ...]:
    from auditor.domain.sample import FORMS, read_sample  # noqa: PLC0415  (likewise)

    try:
        return read_sample(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--sample: {error}", advice=FORMS) from error
    except ConfigurationError as error:
        raise ConfigurationError(f"--sample {path}: {error}", advice=error.advice()) from error


def _tell_without(here: Installation, tenant: UUID, asked: Asked) -> None:
    """Say which resources have no finding in the period: that is no mistake, and nobody shall find it out later."""
    from auditor.store.reads.bundle_opening import estimate  # noqa: PLC0415  (likewise)

    if not asked.resources:
        return
    with here.app.reading(tenant) as connection:
        without = estimate(connection, asked, here.library).without
    if len(without) == len(asked.resources):
        raise ConfigurationError(
            f"none of the {len(without)} resources has a finding in the period, such as {without[0]}",
            advice="Name them as the findings do, by native id; nothing was asked for yet",
        )
    for one in without:
        print(f"no finding in the period: {one}", file=sys.stderr)


def _build(here: Installation, tenant: UUID, id_: UUID, wait: float) -> Bundle:
    """Go on until it is done; what a kill leaves, a worker finishes once the lease is over."""
    from auditor.domain.ports import Claim  # noqa: PLC0415  (likewise)
    from auditor.pipeline.export import export  # noqa: PLC0415

    claim, until = Claim(tenant, id_, "export", 1), time.monotonic() + wait
    issuer = _Telling(here.issuing())
    while not export(claim, books=here.open_tenant, issuer=issuer, clock=here.clock):
        issuer.said("waiting for the signature of auditor checkpoint")
        if time.monotonic() > until:
            raise ExportError(
                "nobody signed the bundle yet; it is built, and a worker goes on with it",
                advice="auditor checkpoint must be running (auditor up does it too); then: auditor bundle list",
            )
        time.sleep(0.5)
        with here.open_tenant(tenant) as books:
            books.hold_export(claim, until=here.clock() + LEASE)
    with here.open_tenant(tenant) as books:
        bundle = books.bundle(id_)
    if bundle.state != "done":
        raise ExportError(bundle.error or "there is no bundle")
    return bundle


class _Telling:
    """An issuer whose steps are also told on stderr, each once: a year takes minutes."""

    def __init__(self, issuer: Issuing) -> None:
        self._issuer = issuer
        self._last = ""

    def said(self, step: str, percent: int | None = None) -> None:
        if step != self._last:
            self._last = step
            print(step if percent is None else f"{percent:3} %  {step}", file=sys.stderr, flush=True)

    def write(self, tenant: UUID, bundle: Bundle, tell: Callable[[str, int], None]) -> Written:
        def both(step: str, percent: int) -> None:
            self.said(step, percent)
            tell(step, percent)

        return self._issuer.write(tenant, bundle, both)

    def issue(self, tenant: UUID, bundle: Bundle, written: Written, signed: Signed) -> Issued:
        self.said("packing", 97)
        return self._issuer.issue(tenant, bundle, written, signed)

    def forget(self, bundle: Bundle) -> None:
        self._issuer.forget(bundle)


def run_list(arguments: argparse.Namespace) -> int:
    """One line a bundle, one more for each time it was taken."""
    with _open() as here, here.open_tenant(tenant_of(here, arguments.tenant)) as books:
        for one in books.bundles():
            asked = one.asked
            what = ", ".join(asked.frameworks) or "all frameworks"
            print(
                f"{one.id}  {one.state:8}  {asked.begins:%Y-%m-%d} to {asked.ends:%Y-%m-%d}  {what}"
                f"{'  part' if asked.partial else ''}  {one.digest or one.error or one.step}"
            )
            if one.purged_at is not None:
                print(f"    purged {one.purged_at.astimezone(UTC):%Y-%m-%d}: nobody can read it any more")
            elif one.finished_at is not None and one.parts:
                print(f"    kept until {one.finished_at + here.settings.retention:%Y-%m-%d}, longer under a hold")
            for taken in one.taken:
                print(f"    taken {taken.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC by {taken.by}")
    return 0


def _verified(root: Path, key: str | None) -> Report:
    from auditor.proof.bundle import verify  # noqa: PLC0415  (likewise)
    from auditor.proof.note import NoteError, VerifierKey  # noqa: PLC0415

    try:
        text = key if key is None or key.count("+") >= 2 else Path(key).read_text(encoding="utf-8")
        pinned = None if text is None else VerifierKey.parse(text)
    except (NoteError, OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--key: {error}", advice="Give name+hash+base64, or a file that holds it") from error
    return verify(root, pinned)


def run_verify(arguments: argparse.Namespace) -> int:
    """Say what can be said of a bundle."""
    from auditor.exports.unpacking import unpacked  # noqa: PLC0415  (likewise)

    with unpacked(arguments.bundle) as root:
        said = _verified(root, arguments.key)
    print(said.as_json() if arguments.json else said.as_text())
    return said.exit_code


def run_open(arguments: argparse.Namespace) -> int:
    """Verify a bundle, then show it on the loopback until interrupted; of one that is refused nothing is shown."""
    from auditor.exports.unpacking import unpacked  # noqa: PLC0415  (likewise)

    with unpacked(arguments.bundle) as root:
        said = _verified(root, arguments.key)
        print(said.as_text(), flush=True)
        if said.exit_code:
            return said.exit_code
        browser = not arguments.no_browser
        if arguments.pages:
            from auditor.cli.showing import serve  # noqa: PLC0415  (likewise)

            return serve(root, said, arguments.port, browser=browser)
        from auditor.cli.opening import show  # noqa: PLC0415  (likewise)

        return show(root, said, port=arguments.port, browser=browser)


def run_reperform(arguments: argparse.Namespace) -> int:
    """Verify a bundle, then derive its documents again."""
    from auditor.collectors.declared import resource_types  # noqa: PLC0415  (likewise)
    from auditor.exports.unpacking import unpacked  # noqa: PLC0415
    from auditor.pipeline.reperform import reperform  # noqa: PLC0415

    with unpacked(arguments.bundle) as root:
        said = _verified(root, arguments.key)
        if said.exit_code:
            print(said.as_text())
            return said.exit_code
        told = reperform(root, resource_types())
    print(f"  verdicts   {said.figures['judged_again']} judged again from their documents, all as told")
    print(f"  documents  {told.done} derived again from their evidence, {len(told.differences)} otherwise")
    for one in told.differences:
        print(f"  DIFFERENT  {one.resource_type} {one.resource}: judged {one.judged}, derived {one.derived}")
    for reason, count in sorted(told.not_done.items()):
        print(f"  not re-performed: {count}, {reason}")
    return told.exit_code


def run_observe(arguments: argparse.Namespace) -> int:
    """Verify a bundle, then read what was sampled."""
    from auditor.bootstrap import now  # noqa: PLC0415  (likewise)
    from auditor.cli.scan_output import printable  # noqa: PLC0415
    from auditor.collectors.aws._client import connect  # noqa: PLC0415  (boto3)
    from auditor.collectors.declared import resource_types  # noqa: PLC0415
    from auditor.exports.bundle_texts import FIND  # noqa: PLC0415
    from auditor.exports.unpacking import unpacked  # noqa: PLC0415
    from auditor.pipeline.observe import observe  # noqa: PLC0415

    wanted = _sample(arguments.sample)
    counts: dict[str, int] = {}
    traced = False
    with unpacked(arguments.bundle) as root, ThreadPoolExecutor(8) as pool:
        said = _verified(root, arguments.key)
        if said.exit_code:
            print(said.as_text())
            return said.exit_code

        def call(account: str) -> Any:
            return connect(profile=arguments.profile, expected_account=account, threads=8)

        for one in observe(root, wanted, resource_types(), call, pool=pool, clock=now):
            counts[one.said] = counts.get(one.said, 0) + 1
            more = f": {', '.join(one.fields) or one.why}" if one.fields or one.why else ""
            print(f"{one.said:9}  {one.sampled.resource_type}  {one.sampled.resource}  as of {one.sampled.at}{more}")
            for asked in one.sampled.calls:
                print(f"{'':9}  {printable(_told(asked))}")
            traced = traced or bool(one.sampled.calls)
    print(", ".join(f"{n} {what.replace('_', ' ')}" for what, n in sorted(counts.items())), file=sys.stderr)
    if traced:
        print(
            f"\nThe calls above were ours; the entity's own trail has them under the same ids:\n{FIND}", file=sys.stderr
        )
    return 4 if counts.get("not_read") else 1 if counts.get("different") or counts.get("gone") else 0


def _told(call: Mapping[str, Any]) -> str:
    """A call of ours in a line, with what leads to it in the entity's trail."""
    hosts = ", ".join(one["host"] for one in call["endpoints"])
    ids = ", ".join(call["request_ids"]) or "no request id"
    return f"{call['operation']} in {call['region']}, {call['started_at']} to {call['finished_at']}, {hosts}: {ids}"
