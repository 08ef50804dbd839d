"""The emulator's control desk under ``/_emulator/``: counts, faults, latency, clock, supplements, reset.

JSON in, JSON out, on the loopback address the server is bound to. A request it does not understand is a 400 with a
sentence; it never reaches moto and is not counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from auditor.simulators.answers import Answer
from auditor.simulators.faults import Fault

if TYPE_CHECKING:
    from auditor.simulators.aws_server import Emulator
    from auditor.simulators.operations import Incoming

PREFIX = "/_emulator/"


def control(emulator: Emulator, request: Incoming) -> Answer:
    """Do what a control request asks and say so."""
    verb = _VERBS.get((request.method, request.path.removeprefix(PREFIX)))
    if verb is None:
        return _json(404, {"error": f"no such control: {request.method} {request.path}"})
    try:
        return _json(200, verb(emulator, json.loads(request.body or b"{}")))
    except (KeyError, TypeError, ValueError) as wrong:
        return _json(400, {"error": f"{type(wrong).__name__}: {wrong}"})


def _json(status: int, document: object) -> Answer:
    return Answer(status, (("Content-Type", "application/json"),), json.dumps(document).encode())


def _health(emulator: Emulator, _: Any) -> object:
    return {"ok": True, "now": datetime.now(UTC).isoformat(), "latency": emulator.latency}


def _counts(emulator: Emulator, _: Any) -> object:
    counts = emulator.counted()
    return {"counts": counts, "total": sum(counts.values())}


def _reset_counts(emulator: Emulator, _: Any) -> object:
    emulator.reset_counts()
    return {}


def _faults(emulator: Emulator, document: Any) -> object:
    faults = [Fault.from_json(one) for one in document]
    emulator.faults.replace(faults)
    return {"faults": len(faults)}


def _latency(emulator: Emulator, document: Any) -> object:
    emulator.latency = float(document["seconds"])
    return {"seconds": emulator.latency}


def _clock(emulator: Emulator, document: Any) -> object:
    at = document.get("at")
    with emulator.lock:
        emulator.clock.set(None if at is None else datetime.fromisoformat(at), tick=bool(document.get("tick", True)))
    return {"now": datetime.now(UTC).isoformat()}


def _supplements(emulator: Emulator, document: Any) -> object:
    with emulator.lock:
        emulator.state.settle(document)
    return {}


def _seed(emulator: Emulator, document: Any) -> object:
    """Make the ids that moto invents repeatable."""
    from moto.moto_api._internal import mock_random  # noqa: PLC0415 - imported only after moto's settings are made

    with emulator.lock:
        mock_random.seed(int(document["seed"]))
    return {}


def _reset(emulator: Emulator, _: Any) -> object:
    emulator.reset()
    return {}


_VERBS: Mapping[tuple[str, str], Callable[[Emulator, Any], object]] = {
    ("GET", "health"): _health,
    ("GET", "counts"): _counts,
    ("POST", "reset-counts"): _reset_counts,
    ("POST", "faults"): _faults,
    ("POST", "latency"): _latency,
    ("POST", "clock"): _clock,
    ("POST", "supplements"): _supplements,
    ("POST", "seed"): _seed,
    ("POST", "reset"): _reset,
}
