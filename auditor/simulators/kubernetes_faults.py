"""Trouble on demand for the small cluster: what a collector meets on a bad day, for the requests that one names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from threading import Lock
from typing import Literal, get_args

from auditor.simulators.kubernetes_requests import Asked

Action = Literal[
    "throttle",  # 429 with Retry-After
    "unavailable",  # 503 with Retry-After
    "unauthorized",  # 401, though the token is good
    "deny",  # 403, though the roles would allow it: so answers may differ from forecasts
    "expire",  # 410 with a fresh token in mid-list; in a watch an ERROR event
    "expire_hard",  # 410 without one
    "cut",  # the connection ends before any answer
    "cut_body",  # it ends in the middle of the body, in a watch after the first event
    "hang_up",  # it ends after the answer, unannounced: between two pages
    "slow",  # the answer is right and takes ``seconds`` longer
    "garbage",  # 200, application/json, and bytes that are none
    "broken",  # 500, as when etcd is away
    "empty_page",  # a list begins with a page that holds nothing and a token for the next
    "no_list",  # a list whose items are a number
    "no_members",  # a list of numbers
]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One rule about requests that shall not simply be answered."""

    action: Action
    verb: str = "*"
    resource: str = "*"
    """Such as ``pods`` or ``deployments``; a request outside the API goes by its path. ``*`` as in file names."""
    namespace: str = "*"
    """Empty means requests about the whole cluster only."""
    skip: int = 0
    """How many of these requests it lets pass first: 2 spoils the third page."""
    times: int | None = None
    """How many it spoils before it ends; None means until it is taken away."""
    retry_after: int = 1
    seconds: float = 0.0

    def concerns(self, asked: Asked) -> bool:
        """Whether the request is one of those meant; only what has a past can expire."""
        if self.action in {"expire", "expire_hard"} and asked.verb != "watch" and not asked.query.get("continue"):
            return False
        subject = asked.combined if asked.is_resource else asked.path
        return (
            fnmatchcase(asked.verb, self.verb)
            and fnmatchcase(subject, self.resource)
            and fnmatchcase(asked.namespace, self.namespace)
        )


class Troubles:
    """The troubles in force; safe to ask from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._troubles: list[list[int]] = []
        self._rules: list[Trouble] = []

    def replace(self, rules: Sequence[Trouble]) -> None:
        """Let exactly these hold from now on.

        Raises:
            ValueError: An action that there is none of.
        """
        for rule in rules:
            if rule.action not in get_args(Action):
                raise ValueError(f"trouble is one of {', '.join(get_args(Action))}, not {rule.action!r}")
        with self._lock:
            self._rules = list(rules)
            self._troubles = [[0, 0] for _ in rules]

    def add(self, rule: Trouble) -> None:
        """Add one to those in force; counters of the others start anew."""
        self.replace([*self._rules, rule])

    def take(self, asked: Asked) -> Trouble | None:
        """The first trouble for this request, counted."""
        with self._lock:
            for rule, seen in zip(self._rules, self._troubles, strict=True):
                if not rule.concerns(asked):
                    continue
                seen[0] += 1
                if seen[0] > rule.skip and (rule.times is None or seen[1] < rule.times):
                    seen[1] += 1
                    return rule
        return None
