"""``auditor evidence``: what is kept, for how long, under which hold, and how it goes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from auditor.cli.connect import find_source, tenant_of
from auditor.domain.errors import ConfigurationError
from auditor.domain.retention import Hold

if TYPE_CHECKING:
    from auditor.bootstrap import Installation
    from auditor.pipeline.retention import Erasure

EPILOG = """examples:
  auditor evidence purge --tenant acme --dry-run
  auditor evidence purge --tenant acme --certificate purge-2032.json
  auditor evidence purge --tenant acme --acts           what people did, as the owner of the tables
  auditor evidence uphold --tenant acme
  auditor evidence shred --tenant acme --digest 3fa9c0... --why "a name in a tag" --yes
  auditor evidence shred --tenant acme --everything --why "contract ended" --yes
  auditor evidence hold add --tenant acme --source production --why "matter 2031-07"
  auditor evidence hold list --tenant acme
  auditor evidence hold release --tenant acme --hold 0b54...

Erasing destroys keys. What findings, exports and copies of the database say about the content stays, and a content that the
account still shows is collected anew by the next run.
"""
RETAIN = "retention: AUDITOR_RETENTION_DAYS, locks: AUDITOR_OBJECT_LOCK"
_RAW: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EPILOG}


def add(commands: Any) -> None:
    """``evidence purge|uphold|shred|hold``."""
    evidence = commands.add_parser("evidence", help="how long evidence is kept, and how it goes", **_RAW)
    verbs = evidence.add_subparsers(metavar="VERB", required=True)

    purge = verbs.add_parser("purge", help=f"erase what its period is over for ({RETAIN})", **_RAW)
    _who(purge)
    purge.add_argument("--dry-run", action="store_true", help="say what would be erased, and erase nothing")
    purge.add_argument(
        "--acts",
        action="store_true",
        help="instead, the record of what people did (AUDITOR_AUDIT_LOG_DAYS); needs AUDITOR_MIGRATE_DATABASE_URL",
    )
    purge.add_argument("--certificate", type=Path, metavar="FILE", help="where to write what was erased, as JSON")
    purge.set_defaults(run=run_purge)

    uphold = verbs.add_parser(
        "uphold", help="seal objects of an earlier release, bring locks and holds up to date", **_RAW
    )
    _who(uphold)
    uphold.set_defaults(run=run_uphold)

    shred = verbs.add_parser("shred", help="erase one object, or all of a tenant, before its time", **_RAW)
    _who(shred)
    what = shred.add_mutually_exclusive_group(required=True)
    what.add_argument("--digest", metavar="SHA256", help="the object of this digest")
    what.add_argument("--everything", action="store_true", help="every object of the tenant, by its one key")
    shred.add_argument("--why", required=True, help="the reason, for the record")
    shred.add_argument("--yes", action="store_true", help="do it: nothing brings it back")
    shred.add_argument("--certificate", type=Path, metavar="FILE", help="where to write what was erased, as JSON")
    shred.set_defaults(run=run_shred)

    hold = verbs.add_parser("hold", help="legal holds", **_RAW)
    acts = hold.add_subparsers(metavar="ACT", required=True)
    place = acts.add_parser(
        "add", help="keep everything, or what one source or resource showed, until released", **_RAW
    )
    _who(place)
    over = place.add_mutually_exclusive_group()
    over.add_argument("--source", help="name, account or id (default: everything of the tenant)")
    over.add_argument("--resource", type=UUID, metavar="ID", help="one resource, by its id")
    place.add_argument("--why", dest="reason", required=True, help="the matter, for the record")
    place.set_defaults(run=run_hold_add)
    release = acts.add_parser("release", help="end a hold", **_RAW)
    _who(release)
    release.add_argument("--hold", type=UUID, required=True, metavar="ID", help="as hold list shows it")
    release.set_defaults(run=run_hold_release)
    listing = acts.add_parser("list", help="holds that stand, or all there were", **_RAW)
    _who(listing)
    listing.add_argument("--all", action="store_true", help="released ones too")
    listing.set_defaults(run=run_hold_list)


def _who(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tenant", default="default", metavar="SLUG", help="organisation (default: default)")
    parser.add_argument("--by", default="operator", metavar="NAME", help="who does this, for the record")


def _open() -> Installation:
    from auditor.bootstrap import Installation  # noqa: PLC0415  (the command pays for what it uses)
    from auditor.settings import configured  # noqa: PLC0415

    return Installation.open(configured())


def run_purge(arguments: argparse.Namespace) -> int:
    """Erase what is due and write the certificate, or say what is due."""
    from auditor.pipeline.retention import purge  # noqa: PLC0415  (likewise)

    if arguments.acts:
        return _purge_acts(arguments)
    with _open() as here:
        tenant, now, period = tenant_of(here, arguments.tenant), here.clock(), here.settings.retention
        told = purge(here.store, here.blobs, tenant, period=period, now=now, by=arguments.by, dry_run=arguments.dry_run)
        with here.open_tenant(tenant) as books:
            old = len(books.acts_before(now - here.settings.audit_log))
        for one in told.certificate["objects"]:
            part_of = "".join(f"  of bundle {bundle}" for bundle in one.get("bundles", ()))
            print(f"{one['digest']}  last in effect {one['last_in_effect']}{part_of}")
        stays = ", ".join(f"{count} {ground}" for ground, count in sorted(told.grounds.items()) if ground != "due")
        print(f"{told.count} objects {'would be' if arguments.dry_run else 'were'} erased; kept: {stays or 'none'}")
        if old:
            print(f"{old} lines of the record of acts are past their period: auditor evidence purge --acts")
        if told.count and not arguments.dry_run:
            _hand_over(here, told, arguments.certificate)
    return 0


def _purge_acts(arguments: argparse.Namespace) -> int:
    """Remove what people did before its period, as the owner, and write the certificate."""
    from auditor.pipeline.retention import purge_acts  # noqa: PLC0415  (likewise)

    with _open() as here, here.owned() as store:
        tenant, period = tenant_of(here, arguments.tenant), here.settings.audit_log
        told = purge_acts(store, tenant, period=period, now=here.clock(), by=arguments.by, dry_run=arguments.dry_run)
        held = told.grounds.get("on hold", 0)
        print(f"{told.count} acts {'would be' if arguments.dry_run else 'were'} removed; kept: {held} on hold")
        if told.count and not arguments.dry_run:
            _hand_over(here, told, arguments.certificate)
    return 0


def run_uphold(arguments: argparse.Namespace) -> int:
    """Seal what an earlier release kept unsealed, then tell the place where objects lie what the rows say."""
    from auditor.pipeline.retention import seal, uphold  # noqa: PLC0415  (likewise)

    with _open() as here:
        tenant = tenant_of(here, arguments.tenant)
        sealed = seal(here.store, here.objects, here.blobs, tenant, now=here.clock())
        told = uphold(here.store, here.blobs, tenant, period=here.settings.retention, now=here.clock())
    if sealed:
        print(f"{sealed} objects of an earlier release were sealed")
    print(f"{told.extended} locks pushed out, {told.held} objects held, {told.released} held no longer")
    return 0


def run_shred(arguments: argparse.Namespace) -> int:
    """Destroy one key, or the tenant's."""
    from auditor.pipeline.retention import shred, shred_tenant  # noqa: PLC0415  (likewise)

    if not arguments.yes:
        raise ConfigurationError("nothing was erased", advice="Add --yes: nothing brings it back")
    with _open() as here:
        tenant = tenant_of(here, arguments.tenant)
        kept, told = here.settings.retention, {"now": here.clock(), "by": arguments.by, "why": arguments.why}
        if arguments.everything:
            erasure = shred_tenant(here.store, here.blobs, tenant, period=kept, **told)
        else:
            erasure = shred(here.store, here.blobs, tenant, arguments.digest, period=kept, **told)
        print(f"{erasure.count} objects were erased")
        _hand_over(here, erasure, arguments.certificate)
    return 0


def run_hold_add(arguments: argparse.Namespace) -> int:
    """Write a hold down, then lay it on the objects."""
    from auditor.pipeline.retention import uphold  # noqa: PLC0415  (likewise)

    with _open() as here:
        tenant, now = tenant_of(here, arguments.tenant), here.clock()
        with here.open_tenant(tenant) as books:
            books.settle_retention()
            source = find_source(books.sources(), arguments.source).id if arguments.source else None
            hold = Hold(uuid4(), arguments.reason, arguments.by, now, source, arguments.resource)
            books.place_hold(hold)
            books.record_action(arguments.by, "hold.add", str(hold.id), {"reason": hold.reason}, now=now)
        told = uphold(here.store, here.blobs, tenant, period=here.settings.retention, now=now)
    print(f"hold {hold.id} stands over {_over(hold)}; {told.held} objects were locked under it")
    return 0


def run_hold_release(arguments: argparse.Namespace) -> int:
    """End a hold, then take it off the objects that no other covers."""
    from auditor.pipeline.retention import uphold  # noqa: PLC0415  (likewise)

    with _open() as here:
        tenant, now = tenant_of(here, arguments.tenant), here.clock()
        with here.open_tenant(tenant) as books:
            books.settle_retention()
            books.release_hold(arguments.hold, by=arguments.by, now=now)
            books.record_action(arguments.by, "hold.release", str(arguments.hold), now=now)
        told = uphold(here.store, here.blobs, tenant, period=here.settings.retention, now=now)
    print(f"hold {arguments.hold} is released; {told.released} objects are held no longer")
    return 0


def run_hold_list(arguments: argparse.Namespace) -> int:
    """One line a hold."""
    with _open() as here, here.open_tenant(tenant_of(here, arguments.tenant)) as books:
        for hold in books.holds(all=arguments.all):
            ended = f"  released {hold.released_at:%Y-%m-%d} by {hold.released_by}" if hold.released_at else ""
            print(
                f"{hold.id}  {_over(hold)}  since {hold.placed_at:%Y-%m-%d} by {hold.placed_by}: {hold.reason}{ended}"
            )
    return 0


def _over(hold: Hold) -> str:
    if hold.source is not None:
        return f"source {hold.source}"
    return "everything" if hold.resource is None else f"resource {hold.resource}"


def _hand_over(here: Installation, erasure: Erasure, file: Path | None) -> None:
    """Write the certificate where asked, else under home."""
    if erasure.locked:
        print(
            f"the bytes of {len(erasure.locked)} are locked or out of reach; nobody can read them, and purge removes them later"
        )
    path = file or here.settings.home / "certificates" / f"{erasure.digest[:16]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"certificate": erasure.certificate, "sha256": erasure.digest}
    path.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(f"certificate: {path}")
