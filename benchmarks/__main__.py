"""``python -m benchmarks [--quick] [--only NAME]``: measure, print a table, and after a whole run keep it in the README."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import bundle, cluster, figures, judging, ledger, scanning, starting
from benchmarks.figures import Row, at_least

README = Path(__file__).with_name("README.md")
JUDGEMENTS = 200_000


def judged(*, quick: bool) -> Iterable[Row]:
    """Judging, one row for each kind of check."""
    for name, definition in judging.CHECKS.items():
        yield at_least("judging, one core", name, judging.rate(definition, 0.05 if quick else 1.0), JUDGEMENTS, "/s")


PARTS: dict[str, Callable[..., Iterable[Row]]] = {
    "starting": starting.starts,
    "company": scanning.company_account,
    "whole": scanning.whole_company,
    "latency": scanning.slow_account,
    "empty": scanning.empty_account,
    "judging": judged,
    "ledger": ledger.appended,
    "bundle": bundle.bundled,
    "cluster": cluster.scanned,
    "large": scanning.large_account,
}


def main(arguments: list[str] | None = None) -> int:
    """Rows are printed as they are measured. Only a whole run is kept: a part beside old rows would mix two machines."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run each of smaller worlds; prints only")
    parser.add_argument("--only", choices=PARTS, metavar="NAME", help=f"one of {', '.join(PARTS)}; prints only")
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    print(figures.machine(), flush=True)
    print(figures.table([]), flush=True)
    for name in [options.only] if options.only else PARTS:
        for row in PARTS[name](quick=options.quick):
            rows.append(row)
            print(figures.line(row.cells()), flush=True)
    if not (options.quick or options.only):
        figures.write(README, rows, today=datetime.now(UTC).date())
        print(f"written to {README.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
