"""``auditor source test``: which actions a source allows where, asked before the first run counts on them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from auditor.domain.preflight import DENYING, Answer, Tried

THREADS = 16
SHORT = 4
EPILOG = """exit codes:
  0  everything that could be tried was allowed
  2  the account cannot be reached
  4  something was denied

examples:
  auditor source test --source production
  auditor source test --source 123456789012 --region eu-central-1
  auditor source test --source production --format json > permissions.json
"""
HEADINGS: tuple[tuple[Answer, str], ...] = (
    ("denied", "Denied"),
    ("opt_in_needed", "Needs signing up for the service first"),
    ("region_off", "Not asked, the region is switched off in this account"),
    ("throttled", "Asked too fast, test again later"),
    ("error", "Broke"),
    ("unsupported", "Not offered there"),
    ("not_tried", "Not tried, nothing there to ask about"),
)


def add(verbs: Any) -> None:
    """``source test``."""
    test = verbs.add_parser(
        "test",
        help="which actions are allowed, denied or not there, region by region",
        description="Asks each action that a run would call once in each region in scope, and keeps no answer but yes or no.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    test.add_argument("--tenant", default="default", metavar="SLUG", help="organisation (default: default)")
    test.add_argument("--source", required=True, help="name, account or id")
    test.add_argument("--region", action="append", default=[], metavar="R", help="only these regions")
    test.add_argument("--format", choices=("table", "json"), default="table")
    test.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask, print, and keep the answer for the source's page."""
    from auditor.bootstrap import Installation, ask_permissions  # noqa: PLC0415  (the command pays for what it uses)
    from auditor.cli.connect import find_source, tenant_of  # noqa: PLC0415
    from auditor.settings import configured  # noqa: PLC0415

    with Installation.open(configured()) as here:
        tenant = tenant_of(here, arguments.tenant)
        with here.open_tenant(tenant) as books:
            source = find_source(books.sources(), arguments.source)
            scope, known = books.scope(source.id), books.regions(source.id)
        caller = here.caller(source, threads=THREADS)
        about = sys.stderr if arguments.format == "json" else sys.stdout
        noun = "cluster" if source.kind == "kubernetes" else "account"
        print(f"{source.name}: {noun} {caller.account}, asked as {caller.identity}", file=about, flush=True)
        with ThreadPoolExecutor(THREADS) as pool:
            regions = tuple(arguments.region) or known
            tried = ask_permissions(
                caller, here.library, scope, regions, pool=pool, progress=_progress, kind=source.kind
            )
        with here.open_tenant(tenant) as books:
            books.keep_preflight(uuid4(), source.id, tried, by="operator", now=here.clock())
    if arguments.format == "json":
        json.dump([_plain(one) for one in tried], sys.stdout, indent=2)
        print()
    else:
        print("\n".join(lines(tried)))
    return 4 if any(one.answer in DENYING for one in tried) else 0


def lines(tried: Sequence[Tried]) -> Iterator[str]:
    """What people read: the answers that are not yes, by kind, each action with its regions and what denied it."""
    allowed = sum(one.answer == "allowed" for one in tried)
    yield f"{allowed} of {len(tried)} allowed (an action in a region counts as one)"
    everywhere = {one.region for one in tried}
    for answer, heading in HEADINGS:
        regions: dict[tuple[str, str], list[str]] = {}
        for one in tried:
            if one.answer == answer:
                regions.setdefault((one.action, one.by or one.detail), []).append(one.region)
        if not regions:
            continue
        yield f"{heading}:"
        for (action, why), names in regions.items():
            where = "everywhere" if set(names) == everywhere and len(names) > SHORT else ", ".join(names)
            said = f"  ({why})" if why and answer not in {"not_tried", "region_off"} else ""
            yield f"  {action:52} {where}{said}"


def _plain(one: Tried) -> dict[str, str]:
    return {"action": one.action, "region": one.region, "answer": one.answer, "by": one.by, "detail": one.detail}


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{done} of {of} listings", end="\n" if done == of else "", file=sys.stderr, flush=True)
    elif done == of:
        print(f"{done} listings asked", file=sys.stderr)
