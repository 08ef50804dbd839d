"""A scan as a table for people, and as json, ndjson and csv for machines: one row each for every check and resource."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from auditor.domain.control import SEVERITIES, Library
from auditor.domain.rollup import rollup
from auditor.domain.verdict import Verdict
from auditor.exports.cells import safe_cell
from auditor.pipeline.scan import Scan
from auditor.proof.canonical import stamp

FIELDS = (
    "check", "control", "title", "resource", "resource_type", "account", "region", "verdict", "severity", "tier",
    "reason", "requirements", "evidence", "observed_at",
)  # fmt: skip
SHOWN = 40


def row(verdict: Verdict, seen: Scan, library: Library) -> dict[str, Any]:
    """One check on one resource, as every machine format gives it; with ``members`` where it stands for several things."""
    members = seen.members.get((verdict.resource_type, verdict.resource))
    check = library.check[verdict.check]
    return {
        "check": verdict.check,
        "control": verdict.control,
        "title": check.title,
        "resource": verdict.resource,
        "resource_type": verdict.resource_type,
        "account": seen.account,
        "region": verdict.region,
        "verdict": verdict.verdict,
        "severity": verdict.severity,
        "tier": verdict.tier,
        "reason": verdict.reason,
        "requirements": {name: list(check.requirements(name)) for name in library.framework},
        "evidence": verdict.evidence,
        "observed_at": stamp(verdict.observed_at),
    } | ({} if members is None else {"members": list(members)})


def as_ndjson(seen: Scan, library: Library, out: TextIO) -> None:
    """One JSON object a line."""
    rows = (row(verdict, seen, library) for verdict in seen.verdicts)
    out.writelines(json.dumps(told, ensure_ascii=False) + "\n" for told in rows)


def as_json(seen: Scan, library: Library, out: TextIO) -> None:
    """One document: who asked, where, coverage, posture and every row."""
    told = {
        "account": seen.account,
        "asked_as": seen.identity,
        "endpoint": seen.endpoint or None,
        "as_of": stamp(seen.as_of),
        "places": list(seen.places),
        "posture": {standing.framework: dict(standing.standings) for standing in _standings(seen, library)},
        "coverage": [
            {"place": look.place, "resource_type": look.resource_type, "state": look.state, "listed": look.listed}
            | ({"detail": look.detail} if look.detail else {})
            for look in seen.coverage
        ],
        "calls": _calls(seen),
        "verdicts": [row(verdict, seen, library) for verdict in seen.verdicts],
    }
    json.dump(told, out, ensure_ascii=False, indent=1)
    out.write("\n")


def as_csv(seen: Scan, library: Library, out: TextIO) -> None:
    """Quoted cells that no spreadsheet takes for a formula."""
    sink = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    sink.writerow(FIELDS)
    for verdict in seen.verdicts:
        told = row(verdict, seen, library)
        told["requirements"] = " ".join(clause for named in told["requirements"].values() for clause in named)
        sink.writerow([safe_cell(str(told[field])) for field in FIELDS])


def as_table(seen: Scan, library: Library, out: TextIO) -> None:
    """What fails, worst first; then posture, coverage, and what could not be seen."""
    failing = sorted((v for v in seen.verdicts if v.verdict == "fail"), key=_worst_first)
    _failing(failing, library, out)
    _posture(seen, library, out)
    _coverage(seen, out)


def _failing(failing: list[Verdict], library: Library, out: TextIO) -> None:
    if failing:
        out.write(f"{'SEVERITY':9} {'CHECK':42} {'REGION':14} RESOURCE AND WHAT WAS SEEN\n")
    for verdict in failing[:SHOWN]:
        out.write(f"{verdict.severity:9} {verdict.check:42} {verdict.region:14} {printable(verdict.resource)}\n")
        out.write(f"{'':67} {printable(verdict.reason)}\n")
        fix = next(iter(library.check[verdict.check].remediation.items()), None)
        if fix:
            out.write(f"{'':67} fix ({fix[0]}): {fix[1]}\n")
    if len(failing) > SHOWN:
        out.write(f"… and {len(failing) - SHOWN} more; --format csv lists every line\n")
    out.write("\n")


def _posture(seen: Scan, library: Library, out: TextIO) -> None:
    totals = Counter(verdict.verdict for verdict in seen.verdicts)
    out.write(
        f"{'Cluster' if seen.kind == 'kubernetes' else 'Account'} {seen.account} as of {stamp(seen.as_of)}: {seen.resources} resources, {totals['pass']} pass, {totals['fail']} fail, "
        f"{totals['unknown']} unknown, {totals['not_applicable']} not applicable\n"
    )
    if seen.endpoint:
        out.write(f"Answers came from {printable(seen.endpoint)}: not a real provider\n")
    out.write("\nPosture, machine part only (primary core checks; what people owe is not looked at here)\n")
    for standing in _standings(seen, library):
        n = standing.standings
        out.write(
            f"  {library.framework[standing.framework].name}: {n['deviating']} requirements deviating, {n['undetermined']} "
            f"undetermined, {n['holding']} holding, {n['none']} without a machine part\n"
        )


def _coverage(seen: Scan, out: TextIO) -> None:
    complete = sum(look.complete for look in seen.coverage)
    out.write(f"\nCoverage: {complete} of {len(seen.coverage)} listings complete over {len(seen.places)} places\n")
    hidden: dict[tuple[str, str], set[str]] = {}
    for look in seen.coverage:
        if not look.complete:
            hidden.setdefault((look.detail, look.action), set()).add(f"{look.resource_type} in {look.place}")
        for action, count in look.denied_details:
            hidden.setdefault((f"denied {action}", action), set()).add(
                f"{count} × {look.resource_type} in {look.place}"
            )
    if hidden:
        out.write("Could not be seen:\n")
    for (detail, action), where in sorted(hidden.items()):
        out.write(f"  {printable(detail)}: {', '.join(sorted(where))}\n      would be shown by: {action}\n")
    unknown = Counter(v.reason for v in seen.verdicts if v.verdict == "unknown" and not v.about_place)
    for reason, count in unknown.most_common(10):
        out.write(f"  {count} unknown: {printable(reason)}\n")


def _standings(seen: Scan, library: Library) -> Iterable[Any]:
    counts: dict[str, Counter[str]] = {}
    for verdict in seen.verdicts:
        counts.setdefault(verdict.check, Counter())[verdict.verdict] += 1
    return rollup(library, counts)


def _calls(seen: Scan) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for collection in seen.collections:
        total.update(collection.calls)
    return dict(sorted(total.items()))


def _worst_first(verdict: Verdict) -> tuple[int, str, str]:
    return (-SEVERITIES.index(verdict.severity), verdict.check, verdict.resource)


def printable(text: str) -> str:
    """Text from a cloud with control characters shown, not obeyed: a name may hold terminal commands."""
    return "".join(ch if ch.isprintable() else repr(ch)[1:-1] for ch in text)


WRITERS: Mapping[str, Callable[[Scan, Library, TextIO], None]] = {
    "table": as_table,
    "json": as_json,
    "ndjson": as_ndjson,
    "csv": as_csv,
}
