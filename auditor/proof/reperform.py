"""Re-performing the verdicts: each finding against the ledger, each verdict judged again from what was judged then.

Enters: the findings of a bundle with definitions, documents, evidence index and coverage. Leaves: figures, or a refusal.
Guards the two promises an auditor rests on: no event of the period is without its span nor a span without its event, and every
verdict is what the definition says of the document, whoever wrote it down.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from .bag import Bag
from .calls import hold_calls
from .canonical import canonical, instant
from .entry import commitment
from .expression import LANGUAGE, ExpressionError
from .judge import VERDICTS, CompiledCheck, compile_check, judge, judged_digest, published_digest
from .part import Part
from .reach import Period, Reach, telling
from .report import RefusedError
from .segment import Ledger
from .spans import FINDING_FACTS, FOREVER, SPAN_FACTS, PlaceDigest, Standing, event_type, span_digest
from .state import Span, effective_state

FINDINGS = "data/findings.jsonl"
EVIDENCE = "data/evidence/index.jsonl"
KEPT = 4096
"""How many documents are held at once: findings of one resource stand together, so each is read about once."""

_instant = lru_cache(maxsize=4096)(instant)
_LINE = frozenset((*FINDING_FACTS, "control", "name", "region", "place", "spans"))
_SPAN = frozenset((*SPAN_FACTS, "salt", "valid_to", "closed_event"))
_UNJUDGED = (
    "because", "observed", "evidence_digest", "document_digest", "document_version", "judged_digest",
    "published_digest", "judged_as_of",
)  # fmt: skip


class Definition(NamedTuple):
    """A check as it judged; ``check`` is none if it was written in a language this verifier does not speak."""

    check: CompiledCheck | None
    resource_type: str
    published: frozenset[str]


def read_evidence(bag: Bag, ledger: Ledger, calls: Mapping[str, int]) -> frozenset[tuple[str, str]]:
    """The evidence of the bundle, as (digest, resource), each line held against the ledger, its stored bytes and its calls.

    Raises:
        RefusedError: Evidence was never put into the ledger, its commitment is of something else, its bytes are missing, or
            it names calls that no record holds.
    """
    found: set[tuple[str, str]] = set()
    for where, line in bag.objects(EVIDENCE):
        with telling(where):
            digest = line["digest"]
            if bag.payload.get(f"data/evidence/{digest[:2]}/{digest}.json") != digest:
                raise RefusedError(where, f"the evidence {digest} is not in the bundle")
            happened = ledger.other(line["evidence"])
            if happened is None or happened.type != "evidence.put":
                raise RefusedError(where, f"evidence {line['evidence']} has no entry in the ledger")
            if commitment(bytes.fromhex(line["salt"]), digest) != happened.commit:
                raise RefusedError(where, f"not the evidence that the ledger committed to (entry {happened.leaf})")
            hold_calls(line, calls, where)
            found.add((digest, line["resource"]))
    return frozenset(found)


class Reperformance:
    """Goes through the findings once, in their order, and counts as it goes."""

    def __init__(
        self, bag: Bag, ledger: Ledger, reach: Reach, period: Period, evidence: frozenset[tuple[str, str]], part: Part
    ) -> None:
        self._bag = bag
        self._ledger = ledger
        self._reach = reach
        self._period = period
        self._evidence = evidence
        self._part = part
        self._definitions: dict[tuple[str, str], Definition] = {}
        self._documents: dict[tuple[str, str], Any] = {}
        self._standing: dict[tuple[str, str], PlaceDigest] = {}
        self.counts: Counter[str] = Counter()
        self.states: Counter[str] = Counter()

    def go(self) -> None:
        """Hold every finding, then see what the ledger has that the findings have not.

        Raises:
            RefusedError: With the line, and what it contradicts.
        """
        last: tuple[str, ...] = ()
        for where, line in self._bag.objects(FINDINGS):
            with telling(where):
                order = (line["source"], line["place"], line["resource"], line["check"])
                if order <= last:
                    raise RefusedError(where, "not sorted by source, place, resource and check, or told twice")
                last = order
                self._finding(line, where)
        left = self._ledger.left_out()
        if left is not None:
            event, happened = left
            raise RefusedError(FINDINGS, f"leaves out {happened.type} {event} (ledger entry {happened.leaf})")
        self._hold_places()

    def _finding(self, line: Mapping[str, Any], where: str) -> None:
        spans = line["spans"]
        if line.keys() != _LINE or not spans or any(span.keys() != _SPAN for span in spans):
            raise RefusedError(where, f"not the fields of a finding: {sorted(line.keys() ^ _LINE)}")
        self._part.hold(line, where)
        self.counts["findings"] += 1
        _hold_thread(spans, self._period.begins, where)
        manifest = self._reach.last_runs.get(line["source"])
        standing = None
        for span in spans:
            at = f"{where} span {span['seq']}"
            leaf = self._hold_event(line, span, at)
            if manifest is not None and leaf < manifest.leaf:
                standing = span
            self._hold_state(line, span, at)
            self.counts["spans"] += 1
        if standing is not None:
            place = self._standing.setdefault((line["source"], line["place"]), PlaceDigest())
            place.add(Standing(line["resource"], line["check"], standing["seq"], standing["state"]))
        self._count_as_it_stands(line, spans)

    def _hold_event(self, line: Mapping[str, Any], span: Mapping[str, Any], where: str) -> int:
        happened = self._ledger.take_finding(span["opened_event"])
        if happened is None:
            raise RefusedError(where, f"its event {span['opened_event']} is not in the ledger, or told twice")
        if commitment(bytes.fromhex(span["salt"]), span_digest(line, span)) != happened.commit:
            raise RefusedError(where, f"not as the ledger committed to it (entry {happened.leaf}): a fact was edited")
        if happened.type != event_type(span["prev_state"], span["state"]):
            raise RefusedError(where, f"the ledger has it as {happened.type} (entry {happened.leaf})")
        if happened.at != _instant(span["recorded_at"]):
            raise RefusedError(where, f"recorded at another time than the ledger says (entry {happened.leaf})")
        return happened.leaf

    def _hold_state(self, line: Mapping[str, Any], span: Mapping[str, Any], where: str) -> None:
        if span["state"] in {"absent", "excluded"}:
            if span["about_place"] or any(span[key] is not None for key in _UNJUDGED):
                raise RefusedError(where, f"{span['state']}, yet it tells of a judgement")
            self._hold_unjudged(line, span, where)
        elif span["state"] not in VERDICTS:
            raise RefusedError(where, f"no such state: {span['state']}")
        elif span["about_place"]:
            if span["evidence_digest"] is not None or span["document_digest"] is not None:
                raise RefusedError(where, "about its place, yet it names a document")
            self._definition(line, span, where)
            self._hold_about_place(line, span, where)
        else:
            self._judge_again(line, span, where)

    def _hold_unjudged(self, line: Mapping[str, Any], span: Mapping[str, Any], where: str) -> None:
        since = _instant(span["valid_from"])
        self.counts[span["state"]] += 1
        if span["state"] == "absent" and not self._saw_all(line, since):
            raise RefusedError(where, "absent, yet no complete listing could have shown that it is gone")
        ruled = self._reach.scope_from.get(line["source"])
        if span["state"] == "excluded" and (ruled is None or ruled > since):
            raise RefusedError(where, "excluded, yet no scope is told that could say so")

    def _hold_about_place(self, line: Mapping[str, Any], span: Mapping[str, Any], where: str) -> None:
        """``unknown`` claims nothing; ``not_applicable`` claims that a complete listing showed none."""
        self.counts["about_place"] += 1
        if span["state"] not in {"not_applicable", "unknown"}:
            raise RefusedError(where, f"{span['state']}, though there was nothing to judge")
        if span["state"] == "not_applicable" and not self._saw_all(line, _instant(span["valid_from"])):
            raise RefusedError(where, "not_applicable to its place, yet coverage has no complete listing there then")

    def _saw_all(self, line: Mapping[str, Any], moment: datetime) -> bool:
        """Coverage is told for the period only; what is older rests on its entry in the ledger."""
        at = (line["source"], line["place"], line["resource_type"])
        return moment < self._period.begins or self._reach.complete(at, moment)

    def _judge_again(self, line: Mapping[str, Any], span: Mapping[str, Any], where: str) -> None:
        if (span["evidence_digest"], line["resource"]) not in self._evidence:
            raise RefusedError(where, f"its evidence {span['evidence_digest']} is not indexed for this resource")
        definition = self._definition(line, span, where)
        document = self._document(span, line["resource_type"], where)
        if definition.check is None:
            self.counts["not_judged_again"] += 1
            return
        said = judge(definition.check, document, as_of=_instant(span["judged_as_of"]))
        if said.verdict != span["state"]:
            raise RefusedError(where, f"says {span['state']}; judged again from its document it is {said.verdict}")
        self.counts["judged_again"] += 1
        if said.because != span["because"]:
            self.counts["explained_otherwise"] += 1

    def _definition(self, line: Mapping[str, Any], span: Mapping[str, Any], where: str) -> Definition:
        name = (line["check"], span["judged_digest"])
        definition = self._definitions.get(name)
        if definition is None:
            definition = self._definitions[name] = read_definition(self._bag, *name)
        if definition.resource_type != line["resource_type"]:
            raise RefusedError(where, f"its check judges {definition.resource_type}")
        if span["published_digest"] not in definition.published:
            raise RefusedError(where, f"the published definition {span['published_digest']} is not in the bundle")
        return definition

    def _document(self, span: Mapping[str, Any], kind: str, where: str) -> Any:
        name = (span["document_digest"], span["evidence_digest"])
        found = self._documents.get(name)
        if found is None:
            stored, found = self._read(name[0], "documents", where)
            _, kept = self._read(name[1], "evidence", where)
            if kept["type"] != kind:
                raise RefusedError(where, f"its evidence {name[1]} is of {kept['type']}, not of {kind}")
            # A derived type keeps its document as evidence, so the two can be held together here.
            if kept["content"].keys() == {"document"} and canonical(kept["content"]["document"]) != stored:
                raise RefusedError(where, f"its evidence {name[1]} holds another document")
            if len(self._documents) >= KEPT:
                self._documents.clear()
            self._documents[name] = found
        return found

    def _read(self, digest: str, folder: str, where: str) -> tuple[bytes, dict[str, Any]]:
        path = f"data/{folder}/{digest[:2]}/{digest}.json"
        if self._bag.payload.get(path) != digest:
            raise RefusedError(where, f"{path} is not in the bundle")
        stored = self._bag.read(path)
        found = json.loads(stored)
        if not isinstance(found, dict):
            raise RefusedError(path, "not a JSON object")
        return stored, found

    def _count_as_it_stands(self, line: Mapping[str, Any], spans: list[dict[str, Any]]) -> None:
        moment = self._period.known_to
        for span in reversed(spans):
            since, until = _instant(span["valid_from"]), _instant(span["valid_to"])
            if since <= moment < until:
                looks = self._reach.looks((line["source"], line["place"], line["resource_type"]))
                stands = Span(span["state"], span["reason"], since, until)
                self.states[effective_state(stands, looks, moment).state] += 1
                return

    def _hold_places(self) -> None:
        """What stood when the last run ended, against what is told: findings from before the period are in it too."""
        for source, last in self._reach.last_runs.items():
            told = {place: found for (of, place), found in self._standing.items() if of == source}
            nothing = PlaceDigest()
            for place in sorted(told.keys() | last.places.keys()):
                found = told.get(place, nothing)
                if (found.findings, found.hexdigest()) != last.places.get(place, (0, nothing.hexdigest())):
                    raise RefusedError(
                        FINDINGS,
                        f"not what stood in {place} when run {last.run} ended: {found.findings} told,"
                        f" {last.places.get(place, (0, ''))[0]} then; a finding was left out, added or moved",
                    )
        self.counts["places_held"] = sum(len(last.places) for last in self._reach.last_runs.values())


def read_definition(bag: Bag, check: str, digest: str) -> Definition:
    """A check as it judged, from ``controls/``, with the digests of all texts it was published in.

    Raises:
        RefusedError: The file is missing, is another definition than its name says, or cannot be compiled.
    """
    path = f"data/controls/{check}@{digest}.json"
    said = bag.object(path)
    with telling(path):
        judged, published = said["check"], said["published"]
        digests = frozenset(published_digest(one) for one in published)
        if said["language"] != LANGUAGE:
            return Definition(None, judged["resource"], digests)
        if any(one["id"] != check or judged_digest(one) != digest for one in (judged, *published)):
            raise RefusedError(path, "another definition than its name says: it would judge differently")
        try:
            compiled = compile_check(judged)
        except ExpressionError as error:
            raise RefusedError(path, f"cannot be compiled: {error}") from error
    return Definition(compiled, compiled.resource_type, digests)


def _hold_thread(spans: list[dict[str, Any]], begins: datetime, where: str) -> None:
    """Spans follow each other without a gap; the first reaches back to the period's beginning or is the first of all."""
    first = spans[0]
    if (first["seq"] == 1) != (first["prev_state"] is None) or (
        first["seq"] > 1 and _instant(first["valid_from"]) > begins
    ):
        raise RefusedError(where, f"begins with span {first['seq']}: one before it lies in the period and is left out")
    for one, following in zip(spans, [*spans[1:], None]):  # noqa: B905 - strict= came with 3.10; one list is the other's tail
        ends = (FOREVER, None) if following is None else (following["valid_from"], following["opened_event"])
        if (one["valid_to"], one["closed_event"]) != ends:
            raise RefusedError(where, f"span {one['seq']} does not end where the next one begins")
        if not _instant(one["valid_from"]) < _instant(one["valid_to"]):
            raise RefusedError(where, f"span {one['seq']} ends before it begins")
        if following is not None and (following["seq"], following["prev_state"]) != (one["seq"] + 1, one["state"]):
            raise RefusedError(where, f"span {following['seq']} does not follow span {one['seq']}")
