"""``auditor source inventory|exclude|include|disconnect``: what there is against what is connected, and who decided the difference."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from auditor.cli.scope import actor

if TYPE_CHECKING:
    from auditor.bootstrap import Installation
    from auditor.store.reads.inventory import Inventory, Listed

EPILOG = """examples:
  auditor source inventory
  auditor source exclude aws 210987654321 --why "sandbox of the training team, J. Doe"
  auditor source exclude kubernetes arn:aws:eks:eu-central-1:123456789012:cluster/lab --why "no patient data"
  auditor source include aws 210987654321 --why "the training team moved out"
  auditor source disconnect staging --why "the account is closed"
"""
KINDS = ("aws", "kubernetes")
MISSING = 4
_RAW: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EPILOG}


def add(verbs: Any) -> None:
    """The verbs of ``source`` that are about completeness."""
    listing = verbs.add_parser(
        "inventory",
        help="accounts and clusters that are listed, connected, left out and missing; leaves with 4 if any is missing",
        **_RAW,
    )
    listing.set_defaults(run=run_inventory)
    out = verbs.add_parser("exclude", help="leave an account or cluster unconnected on purpose", **_RAW)
    back = verbs.add_parser("include", help="take that back: until it is connected it is missing", **_RAW)
    for verb, run in ((out, run_exclude), (back, run_include)):
        verb.add_argument("kind", choices=KINDS)
        verb.add_argument("native_id", metavar="NATIVE_ID", help="account id, or the cluster's ARN")
        verb.set_defaults(run=run)
    gone = verbs.add_parser("disconnect", help="look at a source no more; what was found stays", **_RAW)
    gone.add_argument("source", metavar="NAME", help="name, account or id")
    gone.set_defaults(run=run_disconnect)
    for verb in (out, back, gone):
        verb.add_argument("--why", required=True, metavar="REASON", help="kept, and shown wherever it is missed")
    for verb in (listing, out, back, gone):
        verb.add_argument("--tenant", default="default", metavar="SLUG", help="organisation (default: default)")


def run_inventory(arguments: argparse.Namespace) -> int:
    """What there is, and how it stands."""
    from auditor.cli.connect import tenant_of  # noqa: PLC0415  (it adds its commands beside these)
    from auditor.store.reads.inventory import inventory  # noqa: PLC0415  (SQLAlchemy)

    with _open() as here:
        tenant = tenant_of(here, arguments.tenant)
        with here.app.reading(tenant) as conn:
            found = inventory(conn, here.clock())
    print("\n".join(lines(found)))
    return MISSING if found.missing else 0


def lines(found: Inventory) -> Iterator[str]:
    """The inventory as people read it: the missing first."""
    yield from _table("accounts", found.accounts, found.count(found.accounts))
    for one in found.unlisted:
        yield f"completeness of accounts not established, as seen from {one.name} {one.account}: {one.reason}"
    yield from _table("clusters", found.clusters, found.count(found.clusters))
    for one in found.unseen_clusters:
        yield f"completeness of clusters not established, as seen from {one.name} {one.account}: {one.reason}"


def _table(noun: str, rows: tuple[Listed, ...], counts: dict[str, int]) -> Iterator[str]:
    told = ", ".join(f"{n} {word.replace('_', ' ')}" for word, n in counts.items())
    yield f"{noun}: {len(rows)} listed, {told}"
    for one in rows:
        what = one.source_name or (f"{one.why} ({one.by})" if one.why else "")
        yield f"  {one.standing.replace('_', ' '):10} {one.id}  {what}".rstrip()


def run_exclude(arguments: argparse.Namespace) -> int:
    """Write the decision down."""
    return _decide(arguments, out=True)


def run_include(arguments: argparse.Namespace) -> int:
    """Write down that it no longer holds."""
    return _decide(arguments, out=False)


def _decide(arguments: argparse.Namespace, *, out: bool) -> int:
    from auditor.cli.connect import tenant_of  # noqa: PLC0415  (it adds its commands beside these)

    with _open() as here:
        tenant = tenant_of(here, arguments.tenant)
        with here.open_tenant(tenant) as books:
            decide = books.leave_out if out else books.take_back
            decide(arguments.kind, arguments.native_id, by=actor(), reason=arguments.why, now=here.clock())
    print(f"{arguments.native_id} is {'left out' if out else 'no longer left out'}: {arguments.why}")
    return 0


def run_disconnect(arguments: argparse.Namespace) -> int:
    """End the schedule; keep everything else."""
    from auditor.cli.connect import find_source, tenant_of  # noqa: PLC0415  (it adds its commands beside these)

    with _open() as here:
        tenant = tenant_of(here, arguments.tenant)
        with here.open_tenant(tenant) as books:
            source = find_source(books.sources(), arguments.source)
            books.disconnect(source.id, by=actor(), reason=arguments.why, now=here.clock())
    print(f"{source.name} is disconnected; what was found there stays and is shown as excluded")
    print(f"Connect it again with: auditor source add aws --name {source.name}", file=sys.stderr)
    return 0


def _open() -> Installation:
    from auditor.bootstrap import Installation  # noqa: PLC0415  (the command pays for what it uses)
    from auditor.settings import configured  # noqa: PLC0415

    return Installation.open(configured())
