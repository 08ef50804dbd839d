"""What a test of permissions found: how each action was answered, region by region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Answer: TypeAlias = Literal[
    "allowed", "denied", "opt_in_needed", "region_off", "unsupported", "throttled", "error", "not_tried"
]
DENYING: tuple[Answer, ...] = ("denied", "opt_in_needed")
"""Answers that somebody can do something about."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How one action was answered in one region. ``by`` is what denied it, where the vendor says so."""

    action: str
    region: str
    answer: Answer
    by: str = ""
    detail: str = ""
