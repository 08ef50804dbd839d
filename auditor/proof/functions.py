"""The pure functions a condition may call: globs, networks, versions, text and whole days.

Enters: seen JSON values. Leaves: a JSON value; a ``ValueError`` carries the reason why the values give none.
Guards three rules: no clock, no backtracking, and the same answer under every Python from 3.9 on.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from .canonical import instant
from .values import word_for

DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
_VERSION = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){0,9})(-[A-Za-z].*|\+.*)?", re.ASCII)
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_LONGEST = 10_000


def text(value: Any) -> str:
    """The value itself if it is text, else the reason it cannot be used."""
    if value.__class__ is not str:
        raise ValueError(f"type: {word_for(value)} is not text")
    return str(value)


def matches(value: Any, glob: Any) -> bool:
    """Whether a whole text fits a glob of ``*`` and ``?``, case included; each star is settled once, leftmost first."""
    subject = text(value)
    pieces = _pieces(text(glob))
    if len(subject) > _LONGEST:
        raise ValueError("too long for a glob")
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return len(subject) == len(first) and _fits(subject, first, 0)
    end = len(subject) - len(last)
    if end < len(first) or not _fits(subject, first, 0) or not _fits(subject, last, end):
        return False
    position = len(first)
    for piece in pieces[1:-1]:
        position = _find(subject, piece, position, end)
        if position < 0:
            return False
        position += len(piece)
    return True


def in_cidr(address: Any, cidr: Any) -> bool:
    """Whether an address, or every address of a network, lies in a network; families never mix."""
    inner, outer = _network(text(address)), _network(text(cidr))
    if inner.version != outer.version:
        return False
    starts_inside = int(outer.network_address) <= int(inner.network_address)
    return starts_inside and int(inner.broadcast_address) <= int(outer.broadcast_address)


def version_gte(version: Any, floor: Any) -> bool:
    """Whether a dotted version is at least another; a suffix that would have to decide is refused, as vendors disagree on it."""
    (have, have_suffix), (want, want_suffix) = _version(text(version)), _version(text(floor))
    if have != want:
        return have > want
    if have_suffix.startswith("-") or want_suffix.startswith("-"):
        raise ValueError("type: a version suffix has no order")
    return True


def lower(value: Any) -> str:
    """The text with A to Z in lower case; other letters stay, as Unicode's tables change from one Python to the next."""
    return text(value).translate(_LOWER)


def starts_with(value: Any, prefix: Any) -> bool:
    """Whether a text begins with another."""
    return text(value).startswith(text(prefix))


def ends_with(value: Any, suffix: Any) -> bool:
    """Whether a text ends with another."""
    return text(value).endswith(text(suffix))


def moment(value: Any) -> datetime:
    """The instant an RFC 3339 text names, else the reason it names none."""
    return _moment(text(value)[:64])


def days(name: str, at: datetime, as_of: datetime) -> int:
    """Whole 24 h periods, rounded down: since ``at`` for ``days_since``, until ``at`` for ``days_until``; past and future are negative there."""
    return (as_of - at) // DAY if name == "days_since" else (at - as_of) // DAY


def next_day(name: str, at: datetime, as_of: datetime) -> datetime | None:
    """The first instant after ``as_of`` at which the number of whole days is another one."""
    count = days(name, at, as_of)
    return _turn(name, at, count + 1 if name == "days_since" else count)


def next_flip(name: str, symbol: str, at: datetime, number: float, as_of: datetime) -> datetime | None:
    """The next instant at which ``days symbol number`` changes its answer; one in the past means it never will again."""
    if number.__class__ is float and not math.isfinite(number):
        return None
    if symbol in {"==", "!="}:
        if number != math.floor(number):
            return None
        # The count comes to the number at one step and leaves it at the next; counting down, the later step comes first.
        first, second = int(number), int(number) + 1
        if name == "days_until":
            first, second = second, first
        turn = _turn(name, at, first)
        return turn if turn is not None and turn > as_of else _turn(name, at, second)
    # The integer at which the comparison turns: the number itself, or the one just above it.
    return _turn(name, at, math.ceil(number) if symbol in {">=", "<"} else math.floor(number) + 1)


def price_of_call(act: Callable[..., Any]) -> Callable[..., int]:
    """How many steps a call may cost: by letters compared one by one where a glob holds ``?``, else nearly nothing."""

    def letters(*values: Any) -> int:
        return sum(len(value) for value in values if value.__class__ is str) // 512

    def glob_letters(value: Any, glob: Any) -> int:
        if value.__class__ is not str or glob.__class__ is not str:
            return 0
        return len(value) * len(glob) // (8 if "?" in glob else 512)

    return glob_letters if act is matches else letters


CALLS: dict[str, tuple[int, Callable[..., Any]]] = {
    "matches": (2, matches),
    "in_cidr": (2, in_cidr),
    "version_gte": (2, version_gte),
    "starts_with": (2, starts_with),
    "ends_with": (2, ends_with),
    "lower": (1, lower),
}
DAYS = frozenset(("days_since", "days_until"))
QUANTIFIERS = frozenset(("any", "all", "count"))
NULL_AWARE = {"is_set": 1, "default": 2}
NAMES = frozenset(CALLS) | DAYS | QUANTIFIERS | frozenset(NULL_AWARE)


def _turn(name: str, at: datetime, step: int) -> datetime | None:
    # days_since reaches `step` exactly at at + step days. days_until is at least `step` up to and including
    # at - step days, so its next value begins one tick later.
    try:
        return at + step * DAY if name == "days_since" else at - step * DAY + _TICK
    except OverflowError:
        return None


@lru_cache(maxsize=4096)
def _moment(value: str) -> datetime:
    try:
        return instant(value)
    except ValueError as error:
        raise ValueError("type: not an RFC 3339 instant") from error


@lru_cache(maxsize=1024)
def _pieces(glob: str) -> tuple[str, ...]:
    if len(glob) > 1000:
        raise ValueError("type: the glob is too long")
    return tuple(glob.split("*"))


def _fits(subject: str, piece: str, start: int) -> bool:
    if "?" not in piece:
        return subject.startswith(piece, start)
    return all(wanted == "?" or wanted == subject[start + index] for index, wanted in enumerate(piece))


def _find(subject: str, piece: str, start: int, end: int) -> int:
    if "?" not in piece:
        return subject.find(piece, start, end)
    return next((at for at in range(start, end - len(piece) + 1) if _fits(subject, piece, at)), -1)


@lru_cache(maxsize=4096)
def _network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    # Leading zeros, zones and netmasks are read differently from one Python to the next: refused here for all.
    address, slash, prefix = value.partition("/")
    if len(value) > 64:
        raise ValueError("type: not an address or network")
    zeros = any(
        len(part) > 1 and part.startswith("0") for part in address.rpartition(":")[2].split(".") if "." in address
    )
    if zeros or "%" in value or (slash and (not prefix.isdecimal() or str(int(prefix[:4])) != prefix)):
        raise ValueError("type: not an address or network")
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise ValueError("type: not an address or network") from error


def _version(value: str) -> tuple[tuple[int, ...], str]:
    found = _VERSION.fullmatch(value)
    if found is None:
        raise ValueError("type: not a dotted version")
    numbers = [int(part) for part in found.group(1).split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), found.group(2) or ""
