"""What the verifier has to say: how far it came, what it counted, and where it stopped.

Enters: the steps that held, figures, remarks, and the refusal if there was one. Leaves: text for people, JSON for programs.
Guards the rule that a report claims no more than was checked: what was not repeated and what was not pinned is said in words.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

VERIFIED, REFUSED, UNUSABLE = "verified", "refused", "unusable"
EXIT = {VERIFIED: 0, REFUSED: 1, UNUSABLE: 2}

PINNED = "pinned"
NOT_PINNED = "not pinned"


class RefusedError(Exception):
    """The bundle contradicts itself, its signature or the key; ``where`` names the file and line, ``what`` the contradiction."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what


class UnusableError(Exception):
    """This is no bundle, or no key: nothing can be said of it, neither good nor bad."""


class Step(NamedTuple):
    """One thing that was checked and held."""

    name: str
    says: str


@dataclass(frozen=True)
class Report:
    """The outcome, with all that led to it. ``identity`` is the SHA-256 of the manifest, once that was read."""

    outcome: str
    trust: str = NOT_PINNED
    identity: str = ""
    steps: tuple[Step, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    where: str = ""
    what: str = ""

    @property
    def exit_code(self) -> int:
        """0 verified, 1 refused, 2 unusable."""
        return EXIT[self.outcome]

    def as_json(self) -> str:
        """One JSON object, keys sorted; times are RFC 3339, durations seconds."""
        said = {
            "outcome": self.outcome,
            "trust": self.trust,
            "identity": self.identity,
            "steps": [one._asdict() for one in self.steps],
            "figures": self.figures,
            "remarks": list(self.remarks),
            "refused": {"where": self.where, "what": self.what} if self.outcome != VERIFIED else None,
        }
        return json.dumps(said, sort_keys=True, indent=2, ensure_ascii=True)

    def as_text(self) -> str:
        """The same for people, some thirty lines; nothing in it can steer a terminal."""
        lines = [f"  ok       {one.name}: {one.says}" for one in self.steps]
        if self.outcome == REFUSED:
            lines.append(f"  REFUSED  {self.where}: {self.what}")
        if self.outcome == UNUSABLE:
            lines.append(f"  UNUSABLE {self.where + ': ' if self.where else ''}{self.what}")
        lines += [f"  note     {one}" for one in self.remarks]
        if self.identity:
            lines.append(f"bundle     {self.identity}")
        lines.append(_TRUST[self.trust])
        lines.append(f"result     {_RESULT[self.outcome]}")
        return "\n".join("".join(one if one.isprintable() else "\ufffd" for one in line) for line in lines)


_TRUST = {
    PINNED: "trust      pinned: signed with the key you gave, or with one that followed it on the log",
    NOT_PINNED: "trust not pinned: the key came with the bundle, so this shows that it agrees with itself, not who made it."
    " Ask for the key by another way and give it with --key",
}
_RESULT = {
    VERIFIED: "verified",
    REFUSED: "refused: do not rely on this bundle",
    UNUSABLE: "unusable: nothing was verified",
}
