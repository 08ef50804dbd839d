"""A year of daily runs over an account, and the bundle of it: how long to write, how much memory, how long to verify, how large.

The books are filled through the store as runs fill them, with a change in one of two hundred resources a day, and a moment of
last use that moves in nine of ten each day; documents are made up. Bundling and verifying are commands, measured as processes
of their own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from auditor.bootstrap import Installation
from auditor.domain.calls import Call, Heard
from auditor.domain.coverage import Coverage
from auditor.domain.evidence import Collection, Evidence, Provenance
from auditor.domain.ports import Claim
from auditor.domain.scope import Scope
from auditor.domain.source import GLOBAL, Source, public_id
from auditor.domain.verdict import Verdict, VerdictWord
from auditor.domain.volatile import beside
from auditor.pipeline.preserve import preserve, recorded
from auditor.pipeline.track import track
from auditor.proof.canonical import canonical, digest, stamp
from auditor.proof.judge import CompiledCheck, compile_check, judge, published_digest
from auditor.settings import Settings
from benchmarks.figures import Row, at_least, at_most
from benchmarks.processes import run

KIND, REGION, ACCOUNT = "bench.thing", "eu-west-1", "123456789012"
FIRST = datetime(2025, 1, 1, 3, tzinfo=UTC)
DAY = timedelta(days=1)
CHANGED = 200
"""One of so many resources changes a day."""
IDLE = 10
"""One of so many resources is not used at all."""
CHECKS: tuple[dict[str, Any], ...] = tuple(
    {"id": f"bench.thing.c{n}", "resource": KIND, "document_version": 1, "pass_when": f"level != {n}", "title": f"Level is not {n}"}
    for n in range(5)
)  # fmt: skip


class Days:
    """A clock that a loop moves."""

    def __init__(self) -> None:
        self.at = FIRST

    def __call__(self) -> datetime:
        """Now."""
        return self.at


def document(number: int, version: int) -> dict[str, Any]:
    """A resource's document of about 700 bytes."""
    tags = {f"tag-{one}": f"value {number} of {one}" for one in range(16)}
    return {"name": f"thing-{number}", "level": (number + version) % 40, "version": version, "tags": tags}


def last_use(number: int, day: int) -> dict[str, Any]:
    """What moves with every day on which a resource is used."""
    used = FIRST + day * DAY - timedelta(seconds=number * 37 % 86400 + day * 11) if number % IDLE else FIRST
    return {"last_used_at": stamp(used)}


class Year:
    """An account's year, a day at a time."""

    def __init__(self, here: Installation, clock: Days, resources: int) -> None:
        self.tenant = uuid4()
        self.raw = 0
        self._here, self._clock, self._resources = here, clock, resources
        self._versions = [0] * resources
        self._day = 0
        self._checks = [(one, compile_check(one), published_digest(one)) for one in CHECKS]
        self._source = Source(self.tenant, public_id(self.tenant, "source", "aws", ACCOUNT), "aws", ACCOUNT, "bench")
        here.identities.add_tenant(self.tenant, slug="bench", name="Bench", now=FIRST)
        with here.open_tenant(self.tenant) as books:
            books.add_source(self._source, Scope(), regions=(REGION,), every=DAY.total_seconds(), now=FIRST)
            told = ((one["id"], compiled.judged_digest, published, one) for one, compiled, published in self._checks)
            books.keep_definitions(told, now=FIRST)

    def day(self, number: int) -> None:
        """One run: some resources changed since the last."""
        self._clock.at, self._day = FIRST + number * DAY, number
        with self._here.open_tenant(self.tenant) as books:
            books.plan(self._source.id, slot=self._clock.at, now=self._clock.at, regions=(REGION,))
        changed = range(self._resources) if number == 0 else range(number % CHANGED, self._resources, CHANGED)
        for one in changed:
            self._versions[one] += 1
        self._clock.at += timedelta(minutes=1)
        for claim in self._lease("collect"):
            self._collect(claim, changed)
        while claims := self._lease("assess"):
            for claim in claims:
                self._assess(claim, changed)
        self.raw += self._resources * len(canonical({**document(0, number), **last_use(1, number)}))

    def _lease(self, queue: Any) -> tuple[Claim, ...]:
        return self._here.claims.lease(queue, now=self._clock.at, limit=10, lease_for=600)

    def _evidence(self, number: int) -> Evidence:
        content = {"document": document(number, self._versions[number])}
        return Evidence(KIND, 1, f"arn:bench:{number:05d}", REGION, content, self._clock.at, ("bench:Get",))

    def _volatile(self) -> Evidence:
        """The last uses of all, as they stand beside the evidence."""
        rows = {f"arn:bench:{number:05d}": last_use(number, self._day) for number in range(self._resources)}
        place = f"arn:bench:{REGION}"
        return Evidence(beside(KIND), 1, place, REGION, {"volatile": rows}, self._clock.at, ("bench:Get",))

    def _calls(self, number: int, listing: Call) -> tuple[Call, ...]:
        """A resource rests on its listing and three questions of its own; nothing shrinks a request id."""
        return (listing, *(self._call(f"bench:get_{one}", {"Name": f"thing-{number}"}) for one in ("a", "b", "c")))

    def _call(self, operation: str, params: dict[str, str]) -> Call:
        heard = Heard(str(uuid4()), "bench.eu-west-1.amazonaws.com", "ab" * 32)
        return Call(operation, params, REGION, 1, (heard,), self._clock.at, self._clock.at)

    def _looks(self) -> tuple[Coverage, ...]:
        return (Coverage(REGION, KIND, "ok", self._clock.at, self._resources),)

    def _collect(self, claim: Claim, changed: range) -> None:
        with self._here.open_tenant(self.tenant) as books:
            unit = books.unit(claim)
        mine = unit.place == REGION
        # All are listed; what did not change would be held, and a held resource writes nothing.
        listing = self._call("bench:list_things", {})
        evidence = tuple(
            replace(self._evidence(number), calls=self._calls(number, listing) if number in changed else ())
            for number in (range(self._resources) if mine else ())
        )
        looks = self._looks() if mine else (Coverage(GLOBAL, "bench.none", "ok", self._clock.at),)
        asked = Provenance("arn:aws:sts::123456789012:assumed-role/auditor/bench", "", self._clock.at, self._clock.at)
        evidence = (*evidence, *([self._volatile()] if mine else []))
        collection = recorded(Collection(unit.place, evidence, looks, asked), {})
        fresh = [*(evidence[number] for number in changed), evidence[-1]] if mine else []
        fresh += [record.written for record in collection.records]
        addresses = preserve(fresh, self._here.objects, self.tenant)
        with self._here.open_tenant(self.tenant) as books:
            books.keep(unit, collection, addresses, now=self._clock.at)

    def _assess(self, claim: Claim, changed: range) -> None:
        with self._here.open_tenant(self.tenant) as books:
            unit = books.unit(claim)
            if unit.place == REGION:
                current = books.current(self._source.id, place=REGION, resource_types=[KIND])
                verdicts = [self._verdict(number, *check) for number in changed for check in self._checks]
                judged = {one.key for one in verdicts}
                tracked = track(
                    verdicts, current, self._looks(), source=self._source, library=self._here.library, now=self._clock.at,
                    baseline=True, link=str, held=[key for key in current if key not in judged],
                )  # fmt: skip
                books.apply(unit, tracked.turns, (), now=self._clock.at)
                books.touch(self._source.id, tracked.refreshed)
            books.finish(unit, {}, now=self._clock.at)

    def _verdict(self, number: int, definition: dict[str, Any], check: CompiledCheck, published: str) -> Verdict:
        seen = self._evidence(number)
        said = judge(check, seen.content["document"], as_of=self._clock.at)
        word: VerdictWord = "pass" if said.verdict == "pass" else "fail"
        return Verdict(
            definition["id"], "bench", seen.native_id, KIND, REGION, REGION, word, "high", "core", said.message, said.because,
            said.values, seen.digest, digest(seen.content["document"]), 1, check.judged_digest, published, self._clock.at, self._clock.at,
        )  # fmt: skip


@contextmanager
def signing(here: Installation) -> Iterator[None]:
    """Somebody who signs while a command waits for it."""
    done = threading.Event()
    with here.notary() as notary:

        def go() -> None:
            while not done.wait(0.3):
                notary.round()

        beside = threading.Thread(target=go)
        beside.start()
        try:
            yield
        finally:
            done.set()
            beside.join()


def bundled(*, quick: bool) -> Iterable[Row]:
    """The year, its bundle, and the goals it is held against."""
    days, resources = (10, 200) if quick else (365, 2000)
    name = f"{days} days of {resources:,} resources, {len(CHECKS)} checks each"
    with tempfile.TemporaryDirectory(prefix="bench-bundle-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        home, clock = Path(folder) / "home", Days()
        with Installation.open(Settings(home=home), clock=clock) as here:
            year = Year(here, clock, resources)
            with here.notary() as notary:
                for number in range(days):
                    year.day(number)
                    clock.at += timedelta(minutes=5)
                    notary.round()
            # Before the bundle, which is kept among them.
            kept = sum(path.stat().st_size for path in (home / "objects").rglob("*") if path.is_file())
            clock.at += DAY
            out = Path(folder) / "year.zip"
            asked = ["--from", f"{FIRST:%Y-%m-%d}", "--to", f"{FIRST + days * DAY:%Y-%m-%d}", "--out", str(out)]
            command = ["-m", "auditor.cli", "bundle", "create", "--tenant", "bench", *asked]
            with signing(here):
                made = run(command, {"AUDITOR_HOME": str(home)})
            checked = run(["-m", "auditor.cli", "bundle", "verify", str(out)])
        size = out.stat().st_size
    yield at_most("bundle", f"{name}: written, wall", made.wall, 60, " s")
    yield at_most("bundle", f"{name}: written, peak memory", made.peak / 2**20, 256, " MiB")
    yield at_most("bundle", f"{name}: unpacked and verified, wall", checked.wall, 20, " s")
    yield at_least("bundle", f"{name}: daily raw copies against the ZIP", year.raw / size, 20, "")
    yield at_least("bundle", f"{name}: daily raw copies against the evidence kept", year.raw / max(kept, 1), 20, "")


def main(arguments: list[str] | None = None) -> int:
    """Rows are printed as they are measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ten days of two hundred resources")
    for row in bundled(quick=parser.parse_args(arguments).quick):
        print(" | ".join(row.cells()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
