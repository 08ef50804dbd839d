"""Observing: sampled resources read live, with the auditor's own credentials, and held against what a bundle says of them.

Nothing is kept. Guards that a difference is told as one of time, not of truth: the account may have changed since.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from auditor.domain.document import as_json
from auditor.domain.evidence import Evidence
from auditor.domain.ports import Caller, Clock
from auditor.domain.resource_type import AnyType, ResourceType
from auditor.domain.source import Place
from auditor.domain.volatile import is_beside
from auditor.pipeline.collect import collect
from auditor.proof.canonical import digest, instant

Said: TypeAlias = Literal["same", "different", "gone", "not_read"]


@dataclass(frozen=True, slots=True)
class Sampled:
    """A resource of the bundle as it was read last: its type, id and place, and its document's digest if it can be derived."""

    resource_type: str
    resource: str
    place: str
    digest: str
    at: str
    calls: tuple[Mapping[str, Any], ...] = ()
    """The calls that its evidence rests on, as the bundle has them."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What the live account says of it, and the fields of the document that are not as they were."""

    sampled: Sampled
    said: Said
    fields: tuple[str, ...] = ()
    why: str = ""


def observe(
    root: Path,
    wanted: Sequence[str],
    types: Iterable[AnyType],
    connect: Callable[[str], Caller],
    *,
    pool: Executor,
    clock: Clock,
) -> Iterator[Observed]:
    """Read each wanted resource live; a resource is named by its native id.

    Args:
        root: A bundle that was verified.
        wanted: Native ids.
        types: What can be read.
        connect: Credentials for an account id.
        pool: For the calls.
        clock: The time.
    """
    known = {kind.name: kind for kind in types if isinstance(kind, ResourceType)}
    accounts = {one["source"]: one for one in json.loads((root / "data/scope.json").read_bytes())["sources"]}
    lines = _latest(root, frozenset(wanted))
    for missing in sorted(set(wanted) - {line["resource"] for line in lines}):
        yield Observed(Sampled("", missing, "", "", ""), "not_read", why="the bundle has no evidence of it")
    looks: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in lines:
        looks.setdefault((line["source"], line["place"]), []).append(line)
    for (source, place), of in sorted(looks.items()):
        kinds = [known[name] for name in sorted({line["type"] for line in of}) if name in known]
        told = accounts[source]
        where = Place(told["account"], place, told.get("partition", "aws"))
        found = collect(where, kinds, connect(told["account"]), pool=pool, clock=clock)
        seen = {(one.resource_type, one.native_id): one for one in found.evidence}
        complete = {look.resource_type for look in found.coverage if look.complete}
        for line in of:
            yield _compare(root, line, known, seen, complete)


def _latest(root: Path, wanted: frozenset[str]) -> list[dict[str, Any]]:
    last: dict[tuple[str, str, str], dict[str, Any]] = {}
    with (root / "data/evidence/index.jsonl").open("rb") as file:
        for stored in file:
            line = json.loads(stored)
            if line["resource"] not in wanted or line["place"] == "join" or is_beside(line["type"]):
                continue
            key = (line["source"], line["type"], line["resource"])
            if key not in last or _since(last[key]) < _since(line):
                last[key] = line
    return [last[key] for key in sorted(last)]


def _since(line: dict[str, Any]) -> datetime:
    """When it came to stand last: the same content may come back."""
    return max(instant(since) for since, _ in line.get("stood", ((line["collected_at"], None),)))


def _calls(root: Path, line: dict[str, Any]) -> Iterator[Mapping[str, Any]]:
    rests_on = line.get("calls")
    if rests_on is not None:
        name = rests_on["record"]
        told = json.loads((root / f"data/calls/{name[:2]}/{name}.json").read_bytes())["content"]["calls"]
        yield from (told[number] for number in rests_on["numbers"])


def _compare(
    root: Path,
    line: dict[str, Any],
    known: dict[str, ResourceType],
    seen: dict[tuple[str, str], Evidence],
    complete: set[str],
) -> Observed:
    sampled = Sampled(
        line["type"], line["resource"], line["place"], line["digest"], line["last_at"], tuple(_calls(root, line))
    )
    kind = known.get(line["type"])
    if kind is None or kind.version != line["type_version"]:
        return Observed(
            sampled, "not_read", why=f"needs another release: {line['type']} version {line['type_version']}"
        )
    live = seen.get((line["type"], line["resource"]))
    if live is None:
        gone = line["type"] in complete
        return Observed(
            sampled, "gone" if gone else "not_read", why="" if gone else "these credentials could not list it"
        )
    if live.digest == line["digest"]:
        return Observed(sampled, "same")
    # Both without their volatile facts: a last use that moved on makes no other resource.
    kept = json.loads((root / f"data/evidence/{line['digest'][:2]}/{line['digest']}.json").read_bytes())
    then, now = as_json(kind.describe(kept["content"])), as_json(kind.describe(live.content))
    if digest(then) == digest(now):
        return Observed(sampled, "same")
    return Observed(sampled, "different", tuple(name for name in sorted(then) if then[name] != now.get(name)))
