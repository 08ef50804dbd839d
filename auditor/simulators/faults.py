"""Faults on demand: which calls are refused, slowed down, cut off or answered with nothing.

A fault names calls by operation (``s3:GetBucketEncryption``), by IAM action (``s3:GetEncryptionConfiguration``) or by a
pattern (``rds:*``), and may be narrowed to a region or to requests that mention a resource.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any, Literal, get_args

from auditor.simulators.answers import Answer, denied, error, throttled
from auditor.simulators.operations import Call

Action = Literal["deny", "throttle", "error", "cut", "truncate", "empty"]


@dataclass(frozen=True)
class Fault:
    """One rule about calls that shall not be answered properly."""

    calls: str
    """``service:Operation`` or an IAM action; ``*`` and ``?`` as in file names."""
    action: Action
    resource: str = ""
    """Only requests whose path, query or body mention this text; empty means all."""
    region: str = ""
    times: int | None = None
    """How many calls it spoils before it ends; None means until it is taken away."""
    code: str = "InternalFailure"
    """For ``error``: the error's code."""
    status: int = 500
    """For ``error``: the HTTP status; clients retry 500 and above."""

    @staticmethod
    def from_json(document: dict[str, Any]) -> Fault:
        """A fault as the control endpoint takes it; ``service`` and ``operation`` may stand in for ``calls``.

        Raises:
            ValueError: The action is none that exists.
        """
        names = dict(document)
        if "calls" not in names:
            names["calls"] = f"{names.pop('service')}:{names.pop('operation', '*')}"
        if names.get("action") not in get_args(Action):
            raise ValueError(f"a fault's action is one of {', '.join(get_args(Action))}, not {names.get('action')!r}")
        return Fault(**names)

    def concerns(self, call: Call) -> bool:
        """Whether the call is one of those meant."""
        named = fnmatchcase(call.name, self.calls) or fnmatchcase(call.action, self.calls)
        return named and self.resource in call.text and self.region in {"", call.region}


class Faults:
    """The faults in force; safe to ask from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._faults: list[tuple[Fault, int | None]] = []

    def replace(self, faults: Sequence[Fault]) -> None:
        """Let exactly these faults hold from now on."""
        with self._lock:
            self._faults = [(fault, fault.times) for fault in faults]

    def take(self, call: Call) -> Fault | None:
        """The first fault that concerns the call, counted down if it is a limited one."""
        with self._lock:
            for index, (fault, left) in enumerate(self._faults):
                if left != 0 and fault.concerns(call):
                    self._faults[index] = (fault, None if left is None else left - 1)
                    return fault
        return None


def spoiled(fault: Fault, call: Call) -> Answer:
    """The answer that a fault gives instead of the real one (``cut`` and ``truncate`` are the server's own affair)."""
    if fault.action == "deny":
        return denied(call)
    if fault.action == "throttle":
        return throttled(call)
    if fault.action == "empty":
        return Answer(200, (("Content-Length", "0"),), b"")
    return error(call, fault.code, "An internal failure was asked for.", fault.status)
