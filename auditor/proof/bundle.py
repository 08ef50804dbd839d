"""Verifying a bundle: from the key to the verdicts, one step resting on the one before.

Enters: the folder of an unpacked bundle, and the log's key if it came by another way. Leaves: a ``Report``.
Guards the order: nothing is read as true before the seal over it holds, and nothing is run that the bundle brings along.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from . import sshsig
from .bag import MANIFEST, Bag
from .calls import read_calls
from .canonical import instant, stamp
from .note import NoteError, VerifierKey, open_note
from .part import Part
from .reach import Period, Reach, read_reach, telling
from .reperform import Reperformance, read_evidence
from .report import NOT_PINNED, PINNED, REFUSED, UNUSABLE, VERIFIED, RefusedError, Report, Step, UnusableError
from .rotation import read_chain
from .segment import Ledger, read_ledger

KEY = "keys/log.vkey"
AUDIT = "data/audit.json"
NOTE = f"{MANIFEST}.note"
SSHSIG = f"{MANIFEST}.sshsig"
SEAL = "evidence-bundle@v1"
HEAD = "data/ledger/checkpoint.end"
STAMPED = (HEAD, MANIFEST)
TSR = ".tsr"
"""Added to the name of a file, the name of the RFC 3161 time stamp over it, if there is one."""
_IMPRINT = b"\x04\x20"
"""How 32 bytes begin in DER: a token holds the digest that it is over as it is."""


def seal_text(manifest_digest: str, origin: str, size: int, period_from: str, period_to: str) -> str:
    """What the log's key signs for a bundle: which manifest, how far the ledger reaches, which period."""
    return f"{SEAL}\nmanifest sha256:{manifest_digest}\nledger {origin} {size}\nperiod {period_from} {period_to}\n"


def verify(root: Path, pinned: VerifierKey | None = None) -> Report:
    """What can be said of the bundle in this folder; whatever the bundle holds, this gives a report."""
    trail = _Trail(pinned)
    outcome, where, what = VERIFIED, "", ""
    try:
        trail.follow(Bag(root))
    except RefusedError as error:
        outcome, where, what = REFUSED, error.where, error.what
    except (UnusableError, OSError) as error:
        outcome, what = UNUSABLE, str(error)
    trust = PINNED if trail.pinned and trail.sealed else NOT_PINNED
    remarks = tuple(trail.remarks)
    return Report(outcome, trust, trail.identity, tuple(trail.held), trail.figures, remarks, where, what)


class _Trail:
    """The steps in their order, and what is left of each once it held."""

    def __init__(self, pinned: VerifierKey | None) -> None:
        self.pinned = pinned
        self.sealed = False
        self.identity = ""
        self.held: list[Step] = []
        self.figures: dict[str, Any] = {}
        self.remarks: list[str] = []

    def follow(self, bag: Bag) -> None:
        files = bag.walk()
        keys = self._keys(bag, files)
        key = keys[-1]
        seal = self._seal(bag, key)
        bag.check(files)
        self._hold("files", f"{len(files)} files, each as the manifests name it, none besides")
        self._tell_stamps(bag, files)
        audit, period = self._period(bag)
        partial = audit.get("partial")
        # A part shows single entries to lie in the ledger: it begins where it ends, and nothing of the period is told as whole.
        ledger = read_ledger(bag, keys, instant(audit["as_of"]) if partial else period.begins)
        if audit["as_of"] != stamp(ledger.end.at or period.begins):
            raise RefusedError(AUDIT, f"as_of is {audit['as_of']}, the ledger's head was signed at another time")
        if seal != seal_text(self.identity, key.name, ledger.end.size, *audit["period"].values()):
            raise RefusedError(NOTE, "sealed for another period or another head of the ledger")
        self._tell_ledger(ledger)
        calls = read_calls(bag, ledger)
        evidence = read_evidence(bag, ledger, calls)
        self._hold("evidence", f"{len(evidence)} pieces, each committed to in the ledger")
        self._hold("calls", f"{sum(calls.values())} in {len(calls)} records, each committed to in the ledger")
        self._tell_stand_ins(audit)
        reach = read_reach(bag, ledger, period)
        self.figures.update(reach.figures)
        self._tell_reach(reach)
        if partial:
            reach = Reach(reach.intervals, {}, reach.scope_from, reach.figures)
            self.figures["partial"] = partial
        with telling(AUDIT):
            part = Part(partial or {}, AUDIT)
        again = Reperformance(bag, ledger, reach, period, evidence, part)
        again.go()
        self.remarks += part.remarks()
        self._tell_findings(again)

    def _tell_stand_ins(self, audit: Mapping[str, Any]) -> None:
        """What says of itself that it is no provider's is not refused: it proves what it proves, of a stand-in."""
        with telling(AUDIT):
            named = sorted(f"{one['name']} ({one['host']})" for one in audit.get("not_a_real_provider", ()))
        if named:
            self.figures["not_a_real_provider"] = named
            self.remarks.append(f"not a real provider: the answers behind {', '.join(named)} are a stand-in's")

    def _keys(self, bag: Bag, files: frozenset[str]) -> tuple[VerifierKey, ...]:
        """The key that seals, behind those that it followed; one of them must be the one that was given."""
        try:
            key = VerifierKey.parse(bag.text(KEY))
        except NoteError as error:
            raise RefusedError(KEY, str(error)) from error
        keys = read_chain(bag, files, key)
        if self.pinned is not None and self.pinned not in keys:
            raise RefusedError(KEY, f"another key ({key.hash.hex()}) than the one given ({self.pinned.hash.hex()})")
        followed = "".join(f", which followed {one.hash.hex()} on the log" for one in reversed(keys[:-1]))
        brought = "" if self.pinned else ", as the bundle brings it"
        self._hold("key", f"{key.name}, {key.hash.hex()}{followed}{brought}")
        return keys

    def _seal(self, bag: Bag, key: VerifierKey) -> str:
        manifest = bag.read(MANIFEST)
        self.identity = hashlib.sha256(manifest).hexdigest()
        try:
            text = open_note(bag.text(NOTE), key)
        except NoteError as error:
            raise RefusedError(NOTE, str(error)) from error
        if f"\nmanifest sha256:{self.identity}\n" not in text:
            raise RefusedError(MANIFEST, "not the manifest that was sealed")
        if not sshsig.verify(bag.text(SSHSIG), key.key, manifest):
            raise RefusedError(SSHSIG, "not this key's signature over the manifest")
        self.sealed = True
        self._hold("seal", "the manifest is the one that was signed, as a note and for ssh-keygen")
        return text

    def _tell_stamps(self, bag: Bag, files: frozenset[str]) -> None:
        """That there is a token, and over what: who signed it and when takes a library, and roots that nobody gave us."""
        for of in STAMPED:
            if of + TSR not in files:
                continue
            taken = hashlib.sha256(bag.read(of))
            if _IMPRINT + taken.digest() not in bag.read(of + TSR):
                raise RefusedError(of + TSR, f"a time stamp over something else than {of}")
            self.figures.setdefault("time_stamps", {})[of] = taken.hexdigest()
            self.remarks.append(
                f"a time stamp over {of} (SHA-256 {taken.hexdigest()}) is there, and was not verified here:"
                f" openssl ts -verify -data {of} -in {of}{TSR} -CAfile ROOTS"
            )

    def _period(self, bag: Bag) -> tuple[dict[str, Any], Period]:
        audit = bag.object(AUDIT)
        with telling(AUDIT):
            if audit["v"] != 1 or audit["period"].keys() != {"from", "to"}:
                raise RefusedError(AUDIT, "not the form of this version")
            begins, ends, as_of = (
                instant(one) for one in (audit["period"]["from"], audit["period"]["to"], audit["as_of"])
            )
            if not begins < min(ends, as_of):
                raise RefusedError(AUDIT, "the period ends before it begins, or before anything of it is known")
            if as_of < ends and not audit["running"]:
                raise RefusedError(
                    AUDIT, f"the period is told as over, the ledger ends before it does ({audit['as_of']})"
                )
        self.figures["period"] = audit["period"]
        self.figures["as_of"] = audit["as_of"]
        if as_of < ends:
            self.remarks.append(f"the period is not over: it is known until {audit['as_of']}")
        return audit, Period(begins, ends, min(ends, as_of))

    def _tell_ledger(self, ledger: Ledger) -> None:
        silence = int(ledger.longest_silence.total_seconds())
        self.figures["ledger"] = {"start": ledger.start, "size": ledger.end.size, "longest_silence_seconds": silence}
        self._hold(
            "ledger",
            f"entries {ledger.start} to {ledger.end.size - 1}, every one, lead from the signed start to the signed end;"
            f" longest silence {timedelta(seconds=silence)}"
            if ledger.start < ledger.end.size
            else f"the signed head over {ledger.end.size} entries; those told here are proved one by one",
        )

    def _tell_reach(self, reach: Reach) -> None:
        figures = reach.figures
        self._hold(
            "coverage",
            f"{figures['slots_expected']} slots of the schedule, each with a line ({_counted(figures['runs'])});"
            f" {figures['reached_with_gaps']} of {figures['reached']} places and types with gaps,"
            f" the longest {timedelta(seconds=figures['longest_gap_seconds'])}",
        )
        blind = figures["sources"] - len(reach.last_runs)
        if blind > 0:
            self.remarks.append(
                f"{blind} of {figures['sources']} sources had no run that ended in the period:"
                " what stood there before it cannot be held against one"
            )

    def _tell_findings(self, again: Reperformance) -> None:
        counts = again.counts
        self.figures.update(counts)
        self.figures["states"] = dict(again.states)
        whole = "" if "partial" in self.figures else ", none left out"
        self._hold("findings", f"{counts['findings']} with {counts['spans']} spans, each with its event{whole}")
        self._hold("verdicts", f"{counts['judged_again']} judged again from their documents, all as told")
        self._hold("at the end", _counted(again.states) or "no finding stands")
        unjudged = {key: counts[key] for key in ("about_place", "absent", "excluded") if counts[key]}
        if unjudged:
            self.remarks.append(f"held against coverage and scope, as no document exists: {_counted(unjudged)}")
        if counts["not_judged_again"]:
            self.remarks.append(
                f"{counts['not_judged_again']} verdicts are in another language version: not judged again"
            )
        if counts["explained_otherwise"]:
            self.remarks.append(
                f"{counts['explained_otherwise']} verdicts hold, but are explained in other words today"
            )

    def _hold(self, name: str, says: str) -> None:
        self.held.append(Step(name, says))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[key]} {key}" for key in sorted(counts))
