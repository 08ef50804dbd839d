"""A bundle's pages: from a requirement to its control, its checks, their findings and the evidence, without a script.

Every figure is counted from the files beside the pages; every state is read through ``effective_state``, as everywhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from auditor.domain.control import Check, Control, Library
from auditor.exports.bundle_texts import LIMITS, stand_ins
from auditor.exports.html import Markup, link, page, table, tag, text
from auditor.exports.tree import Tree
from auditor.proof.canonical import instant
from auditor.proof.state import Look, Span, effective_state

PER_PAGE = 400
STATES = ("pass", "fail", "unknown", "not_applicable", "excluded", "absent")
Counts = Mapping[str, Mapping[str, int]]


def write_pages(tree: Tree, library: Library) -> None:
    """The first page, one for each framework and control, some for each check, and the calendar of coverage."""
    audit = _object(tree, "data/audit.json")
    known_to = min(audit["period"]["to"], audit["as_of"], key=instant)
    shown = _Shown(tree, instant(known_to))
    counts = {check: _page_of_check(tree, library, check, shown) for check in tree.counted("finding")}
    controls = {check.control: library.control[check.control] for check in library.checks if check.id in counts}
    named = [one for one in library.frameworks if not audit["frameworks"] or one.id in audit["frameworks"]]
    told = frozenset(one.id for one in named)
    for control in controls.values():
        _put(tree, f"data/pages/control-{control.id}.html", control.title, _control(control, counts, told))
    for framework in named:
        rows = _requirements(library, framework.id, counts)
        body = table("Requirements and what the machine can say about them", _HEADS, rows, _NUMBERS)
        _put(tree, f"data/pages/framework-{framework.id}.html", framework.name, body)
    _put(tree, "data/pages/coverage.html", "Coverage", _calendar(tree, audit))
    names = [(one.id, one.name) for one in named]
    _put(
        tree,
        "data/index.html",
        f"Evidence of {audit['name']}",
        _first(audit, names, library, counts),
        home="index.html",
    )


_HEADS = ("Requirement", "Answered by", *(one.replace("_", " ") for one in STATES[:4]), "out of scope")
_NUMBERS = frozenset(range(2, 7))


class _Shown:
    """The state one may claim for a finding where the bundle ends, coverage laid over."""

    def __init__(self, tree: Tree, moment: datetime) -> None:
        self._moment = moment
        self._looks: dict[tuple[str, str, str], list[Look]] = {}
        for line in _lines(tree, "data/coverage.jsonl"):
            at = (line["source"], line["place"], line["resource_type"])
            look = Look(
                line["state"], line["detail"], instant(line["valid_from"]), instant(line["last_at"]),
                timedelta(seconds=line["fresh_seconds"]), line["unsupported_means"],
            )  # fmt: skip
            self._looks.setdefault(at, []).append(look)

    def __call__(self, finding: Mapping[str, Any]) -> tuple[str, str]:
        """State and reason; ``absent`` where nothing stood."""
        at = (finding["source"], finding["place"], finding["resource_type"])
        for span in reversed(finding["spans"]):
            since, until = instant(span["valid_from"]), instant(span["valid_to"])
            if since <= self._moment < until:
                found = effective_state(
                    Span(span["state"], span["reason"], since, until), self._looks.get(at, ()), self._moment
                )
                return found.state, found.reason or ""
        return "absent", "not there yet"


def _first(
    audit: Mapping[str, Any], named: Sequence[tuple[str, str]], library: Library, counts: Counts
) -> Iterator[str]:
    period = audit["period"]
    yield tag(
        "p",
        *(_time(period["from"]), " to ", _time(period["to"]), "; known until ", _time(audit["as_of"])),
        f". Written by {audit['product']}.",
    )
    if stand_ins(audit):
        yield tag("p", tag("strong", stand_ins(audit)))
    if audit.get("partial"):
        yield tag(
            "p",
            tag("strong", "This is a part of a bundle."),
            " That nothing was left out is shown by the whole one only.",
        )
    yield tag("h2", "Frameworks")
    yield tag("ul", *(tag("li", link(f"pages/framework-{id_}.html", name)) for id_, name in named))
    yield tag("h2", "Controls")
    rows = []
    for control in library.controls:
        told = [counts[check.id] for check in control.checks if check.id in counts]
        if told:
            rows.append([link(f"pages/control-{control.id}.html", control.title), *_sums(told)])
    yield from table(
        "Controls with findings, and how these stand where the bundle ends",
        ("Control", *_HEADS[2:]),
        rows,
        frozenset(range(1, 6)),
    )
    strangers = sorted(counts.keys() - {check.id for check in library.checks})
    if strangers:
        yield tag(
            "p",
            "Checks that this release no longer has: ",
            *_joined([link(f"pages/check-{one}.1.html", one) for one in strangers]),
        )
    yield tag("h2", "The rest")
    files = (
        ("pages/coverage.html", "coverage calendar"), ("scope.json", "sources and scope"), ("scope_changes.jsonl", "changes of scope"),
        ("changes.jsonl", "changes of definitions, parameters, mappings, scope and sources"), ("inventory.json", "inventory"),
        ("runs.jsonl", "runs"), ("evidence/index.jsonl", "index of evidence"), ("calls/index.jsonl", "index of the records of calls"), ("ledger/checkpoint.end", "head of the ledger"),
        ("csv/findings.csv", "findings as CSV"), ("csv/spans.csv", "every span as CSV"), ("csv/coverage.csv", "coverage as CSV"),
        ("csv/evidence.csv", "evidence as CSV"),
    )  # fmt: skip
    yield tag("ul", *(tag("li", link(path, words)) for path, words in files))
    yield tag("h2", "What this bundle shows, and what it does not")
    yield tag("div", LIMITS, class_="limits")


def _requirements(library: Library, framework: str, counts: Counts) -> Iterator[Sequence[object]]:
    for requirement in library.framework[framework].requirements:
        checks = [check for check in library.checks if requirement.id in check.requirements(framework)]
        controls = sorted({check.control for check in checks if check.id in counts})
        links: list[Markup] = [link(f"control-{one}.html", library.control[one].title) for one in controls]
        said = (
            _joined(links)
            if links
            else [requirement.answered_by or "nothing in this bundle: people answer it, or no check does"]
        )
        yield [
            Markup(f"{tag('strong', requirement.id)} {text(requirement.title)}"),
            Markup("".join(text(one) for one in said)),
            *_sums([counts[check.id] for check in checks if check.id in counts]),
        ]


def _control(control: Control, counts: Counts, told: frozenset[str]) -> Iterator[str]:
    yield tag("p", control.statement)
    for framework, requirements in control.requirements.items():
        named = link(f"framework-{framework}.html", framework) if framework in told else framework
        yield tag("p", named, ": ", ", ".join(requirements))
    rows = [
        [link(f"check-{check.id}.1.html", check.title), check.severity, *_sums([counts[check.id]])]
        for check in control.checks
        if check.id in counts
    ]
    yield from table("Checks", ("Check", "Severity", *_HEADS[2:]), rows, frozenset(range(2, 7)))
    if control.duties:
        yield tag("h2", "What people must do")
        yield tag("ul", *(tag("li", f"{duty.title} ({duty.cadence}, {duty.owner})") for duty in control.duties))


def _page_of_check(tree: Tree, library: Library, check: str, shown: _Shown) -> dict[str, int]:
    """The pages of a check, some hundred findings each; gives how many stand in which state."""
    known = library.check.get(check)
    counts: dict[str, int] = {}
    with tree.open("data/findings.jsonl") as file:
        marks = list(tree.marks("finding", check))

        def findings(some: Sequence[int]) -> Iterator[Mapping[str, Any]]:
            for position in some:
                file.seek(position)
                yield json.loads(file.readline())

        rest, number, pages = iter(marks), 1, -(-len(marks) // PER_PAGE)
        while some := list(islice(rest, PER_PAGE)):
            body = _check(check, known, number, pages, findings(some), shown, counts)
            _put(tree, f"data/pages/check-{check}.{number}.html", known.title if known else check, body)
            number += 1
    return counts


def _check(
    check: str,
    known: Check | None,
    number: int,
    pages: int,
    findings: Iterable[Mapping[str, Any]],
    shown: _Shown,
    counts: dict[str, int],
) -> Iterator[str]:
    if known is not None:
        yield tag(
            "p", "Control: ", link(f"control-{known.control}.html", known.control), "; check: ", tag("code", check)
        )
    if pages > 1:
        links = [
            link(f"check-{check}.{one}.html", str(one)) if one != number else tag("strong", one)
            for one in range(1, pages + 1)
        ]
        yield tag("p", "Page ", *_joined(links))
    for finding in findings:
        state, reason = shown(finding)
        counts[state] = counts.get(state, 0) + 1
        yield tag("h2", f"{finding['name']}: {state.replace('_', ' ')}", id=f"f-{finding['finding']}")
        yield tag("p", tag("code", finding["resource"]), f" in {finding['region']}; {reason or 'as judged'}")
        yield from table(
            f"Spans of {finding['name']}",
            ("From", "To", "State", "Reason", "Rests on"),
            (_span(check, one) for one in finding["spans"]),
        )


def _span(check: str, span: Mapping[str, Any]) -> Sequence[object]:
    rests: list[Markup] = []
    if span["evidence_digest"]:
        rests.append(link(f"../evidence/{span['evidence_digest'][:2]}/{span['evidence_digest']}.json", "evidence"))
    if span["document_digest"]:
        rests.append(link(f"../documents/{span['document_digest'][:2]}/{span['document_digest']}.json", "document"))
    if span["judged_digest"]:
        rests.append(link(f"../controls/{check}@{span['judged_digest']}.json", "definition"))
    until = "" if span["closed_event"] is None else span["valid_to"]
    return [
        _time(span["valid_from"]),
        _time(until) if until else "still",
        span["state"].replace("_", " "),
        f"{span['reason']} (cause: {span['cause']})".lstrip(),
        Markup("".join(_joined(rests))),
    ]


def _time(stamped: str) -> Markup:
    """To the second, as people read it; the whole of it stays in the attribute."""
    return tag("time", f"{stamped[:10]} {stamped[11:19]} UTC", datetime=stamped)


def _calendar(tree: Tree, audit: Mapping[str, Any]) -> Iterator[str]:
    """A line per source and day: which slots were looked in; then every interval that was not complete."""
    days: dict[tuple[str, str], dict[str, int]] = {}
    for run in _lines(tree, "data/runs.jsonl"):
        told = days.setdefault((run["source"], run["slot"][:10]), {})
        told[run["state"]] = told.get(run["state"], 0) + 1
    names = {one["source"]: one["name"] for one in _object(tree, "data/scope.json")["sources"]}
    rows = (
        [names.get(source, source), day, ", ".join(f"{n} {state}" for state, n in sorted(told.items()))]
        for (source, day), told in sorted(days.items())
    )
    yield tag(
        "p",
        *(_time(audit["period"]["from"]), " to ", _time(audit["period"]["to"])),
        ", one line per source and day. A slot that was missed stands as missed.",
    )
    yield from table("Runs by day", ("Source", "Day", "Slots"), rows)
    blind = (
        [
            names.get(one["source"], one["source"]),
            one["place"],
            one["resource_type"],
            one["state"],
            one["detail"],
            _time(one["valid_from"]),
            _time(one["last_at"]),
        ]
        for one in _lines(tree, "data/coverage.jsonl")
        if one["state"] != "ok"
    )
    yield from table(
        "Listings that were not complete", ("Source", "Place", "Type", "State", "Detail", "From", "Last"), blind
    )
    yield tag("p", link("../csv/coverage.csv", "Every interval, as CSV"))


def _sums(told: Sequence[Mapping[str, int]]) -> list[int]:
    return [sum(one.get(state, 0) for one in told) for state in STATES[:5]]


def _joined(links: Sequence[Markup]) -> list[Markup]:
    return [one for position, each in enumerate(links) for one in ((text(", "), each) if position else (each,))]


def _put(tree: Tree, path: str, title: str, body: Iterable[str], *, home: str = "../index.html") -> None:
    tree.stream(path, (piece.encode() for piece in page(title, home, body)))


def _object(tree: Tree, path: str) -> Any:
    with tree.open(path) as file:
        return json.load(file)


def _lines(tree: Tree, path: str) -> Iterator[Mapping[str, Any]]:
    with tree.open(path) as file:
        for line in file:
            yield json.loads(line)
