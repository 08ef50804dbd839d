"""What a server says instead of an answer, as the pipeline understands it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from auditor.domain.ports import CallFailed, FailureKind, StartOver

WAITING = frozenset({429, 503})
"""Answers that may say when to come back."""


def object_in(data: bytes) -> Mapping[str, Any]:
    """The object that an answer holds. Raises ``ValueError`` for anything else."""
    told = json.loads(data)
    if not isinstance(told, dict):
        raise ValueError(f"a {type(told).__name__} where an object was asked for")  # noqa: TRY004  (told as any unreadable answer)
    return told


def refusal(status: int, headers: Mapping[str, str], data: bytes, action: str) -> CallFailed:
    """What the server said instead of an answer: a Status object, or plain text where no group answers."""
    message = _message(data)
    match status:
        case 401:
            return CallFailed("Unauthorized", "denied", action=action, message=message)
        case 403:
            return CallFailed("Forbidden", "denied", action=action, message=message)
        case 404:
            return CallFailed("NotFound", "error", action=action, message=message)
        case 410:
            return StartOver("Expired", "error", action=action, message=message)
        case _:
            kind: FailureKind = "throttled" if status in WAITING else "error"
            code = {429: "TooManyRequests", 503: "ServiceUnavailable"}.get(status, f"HTTP {status}")
            wait = _retry_after(headers)
            return CallFailed(code, kind, action=action, message=message, retry_after=wait)


def _message(data: bytes) -> str:
    try:
        told = json.loads(data)
        text = str(told["message"])
    except (ValueError, KeyError, TypeError):
        text = data.decode("utf-8", "replace")
    return (text.splitlines() or [""])[0][:300]


def _retry_after(headers: Mapping[str, str]) -> float:
    told = headers.get("Retry-After") or ""
    return float(told) if told.isascii() and told.isdigit() else 0.0


def first_line(error: Exception) -> str:
    """What an error says in short, or its class."""
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
