"""``auditor runs list|cancel`` and ``auditor source pace``: how runs stand, how one is ended, how gently a source is asked."""

from __future__ import annotations

import argparse
import getpass
from typing import TYPE_CHECKING, Any

from auditor.domain.errors import ConfigurationError, TenancyError
from auditor.domain.source import Manners

if TYPE_CHECKING:
    from auditor.bootstrap import Installation
    from auditor.domain.ports import RunState

EPILOG = """examples:
  auditor runs list --source production
  auditor runs cancel 5f1c2d3e --why "the account is being migrated"
"""
PACE_EPILOG = """Hours are UTC. Within quiet hours no part of a run begins; what is under way ends.
A part that would go beyond the day's calls waits for the next day. Each word says what it changes; "none" takes a limit away.

examples:
  auditor source pace --source production
  auditor source pace --source production --per-second 5 --quiet 08-18
  auditor source pace --source production --daily-calls none
"""
_RAW: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter}


def add(commands: Any) -> None:
    """``runs``."""
    runs = commands.add_parser("runs", help="how runs stand, and ending one", epilog=EPILOG, **_RAW)
    verbs = runs.add_subparsers(metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="the latest runs", epilog=EPILOG, **_RAW)
    _tenant(listing)
    listing.add_argument("--source", help="name, account or id (default: all)")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default: 20)")
    listing.set_defaults(run=run_list)
    cancel = verbs.add_parser(
        "cancel", help="end a run that is under way; what it settled so far stays", epilog=EPILOG, **_RAW
    )
    _tenant(cancel)
    cancel.add_argument("id", metavar="RUN", help="id, or how it begins")
    cancel.add_argument("--why", required=True, metavar="WORDS", help="kept with the run and shown beside it")
    cancel.set_defaults(run=run_cancel)


def add_pace(verbs: Any) -> None:
    """``source pace``."""
    pace = verbs.add_parser("pace", help="how gently an account is asked", epilog=PACE_EPILOG, **_RAW)
    _tenant(pace)
    pace.add_argument("--source", required=True, help="name, account or id")
    pace.add_argument("--per-second", type=_rate, metavar="N", help="requests a second, per region and service")
    pace.add_argument("--daily-calls", type=_calls, metavar="N", help="calls in a day")
    pace.add_argument("--quiet", type=_hours, metavar="FROM-TO", help="hours in which nothing begins, such as 22-06")
    pace.set_defaults(run=run_pace)


def run_list(arguments: argparse.Namespace) -> int:
    """One line a run, the newest first."""
    from auditor.cli.connect import find_source, tenant_of  # noqa: PLC0415  (it registers us)

    with _open() as here, here.open_tenant(tenant_of(here, arguments.tenant)) as books:
        sources = books.sources()
        chosen = find_source(sources, arguments.source).id if arguments.source else None
        runs = books.runs(chosen, limit=arguments.limit)
        names = {id_: books.source(id_).name for id_ in {run.source for run in runs}}
    for run in runs:
        print(_line(run, names[run.source]))
    return 0


def run_cancel(arguments: argparse.Namespace) -> int:
    """End it; workers that still look notice within their next lease."""
    from auditor.cli.connect import tenant_of  # noqa: PLC0415  (it registers us)

    if not arguments.why.strip():
        raise ConfigurationError("cancelling a run needs a reason", advice='Say it with --why "..."')
    with _open() as here, here.open_tenant(tenant_of(here, arguments.tenant)) as books:
        run = _find(books.runs(limit=1_000), arguments.id)
        ended = books.cancel(run.id, by=f"operator {_who()}", reason=arguments.why.strip(), now=here.clock())
        after = books.run(run.id)
    if not ended:
        raise TenancyError(
            f"run {run.id} is over: {after.state}", advice="Only a run that is under way can be cancelled"
        )
    print(f"run {run.id} is cancelled: {_units(after)}")
    print("What was settled before stays, nothing else was closed, and the next run looks at everything again.")
    return 0


def run_pace(arguments: argparse.Namespace) -> int:
    """Change what is named, and say what holds now."""
    from dataclasses import replace  # noqa: PLC0415  (the command pays for what it uses)

    from auditor.cli.connect import find_source, tenant_of  # noqa: PLC0415  (it registers us)

    named = {name: getattr(arguments, name) for name in ("per_second", "daily_calls", "quiet")}
    changed = {name: None if value == NO_LIMIT else value for name, value in named.items() if value is not None}
    with _open() as here, here.open_tenant(tenant_of(here, arguments.tenant)) as books:
        source = find_source(books.sources(), arguments.source)
        manners = replace(books.manners(source.id), **changed)
        if changed:
            books.set_manners(source.id, manners)
            told = {"per_second": manners.per_second, "daily_calls": manners.daily_calls, "quiet": manners.quiet}
            books.record_action(f"operator {_who()}", "source.pace", str(source.id), told, now=here.clock())
    print(f"{source.name}: {words(manners)}")
    return 0


def words(manners: Manners) -> str:
    """How gently a source is asked, in words."""
    said = []
    if manners.per_second is not None:
        said.append(f"{manners.per_second:g} requests a second per region and service")
    if manners.daily_calls is not None:
        said.append(f"{manners.daily_calls} calls a day")
    if manners.quiet is not None:
        said.append(f"nothing begins from {manners.quiet[0]:02}:00 to {manners.quiet[1]:02}:00 UTC")
    return ", ".join(said) or "no limits of its own"


def _line(run: RunState, name: str) -> str:
    line = f"{run.id}  {run.started_at:%Y-%m-%d %H:%M}  {name:24} {run.state:9} {_units(run)}"
    if run.refresh:
        line += "  refresh: what a watch had marked"
    if run.state == "cancelled":
        line += f"  partial: cancelled by {run.cancelled_by}, {run.cancel_reason}"
    elif run.state == "partial":
        line += "  partial: some places could not be looked at"
    return line


def _units(run: RunState) -> str:
    return ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(run.units.items()))


def _find(runs: tuple[RunState, ...], named: str) -> RunState:
    found = [run for run in runs if str(run.id).startswith(named.lower())]
    if len(found) != 1:
        raise TenancyError(f"{len(found)} runs begin with {named}", advice="auditor runs list shows their ids")
    return found[0]


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"


def _open() -> Installation:
    from auditor.bootstrap import Installation  # noqa: PLC0415  (the command pays for what it uses)
    from auditor.settings import configured  # noqa: PLC0415

    return Installation.open(configured())


def _tenant(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tenant", default="default", metavar="SLUG", help="organisation (default: default)")


NO_LIMIT = "none"


def _rate(text: str) -> float | str:
    if text == NO_LIMIT:
        return text
    rate = float(text)
    if not 0 < rate < float("inf"):
        raise argparse.ArgumentTypeError("takes a number above zero, or none")
    return rate


def _calls(text: str) -> int | str:
    if text == NO_LIMIT:
        return text
    calls = int(text)
    if calls < 1:
        raise argparse.ArgumentTypeError("takes a number above zero, or none")
    return calls


def _hours(text: str) -> tuple[int, int] | str:
    if text == NO_LIMIT:
        return text
    begins, dash, ends = text.partition("-")
    if not (dash and begins.isdecimal() and ends.isdecimal() and int(begins) < 24 and int(ends) <= 24):
        raise argparse.ArgumentTypeError("takes two hours such as 22-06, or none")
    if int(begins) == int(ends) % 24:
        raise argparse.ArgumentTypeError("the hours must differ: a source that is always quiet is never looked at")
    return int(begins), int(ends)
