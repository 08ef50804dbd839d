"""A part of a bundle: what it says it is narrowed to, held against each finding it tells, and what no part can show.

Enters: ``partial`` of ``audit.json``, then findings. Leaves: a refusal, or remarks.
Guards the rule that a part is about what it says: a finding of something else is refused, one asked for and not told is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .report import RefusedError

# The control of a finding is no fact of it: which checks a control has may change, and no finding with it.
_HELD = {"checks": "check", "sources": "source", "resources": "resource"}
NAMED = 5
LIMITS = (
    "a part of a bundle: what it tells is proved, that nothing was left out is not",
    "of a finding in a part, the last span told need not be the last there was: only the whole bundle shows that",
)


class Part:
    """What findings may be about; everything, if the bundle is whole."""

    def __init__(self, said: Mapping[str, Any], where: str) -> None:
        self._held = {field: frozenset(said[name]) for name, field in _HELD.items() if name in said}
        self._without = set(self._held.get("resource", ()))
        self._partial = bool(said)
        if any(not isinstance(one, str) for of in self._held.values() for one in of):
            raise RefusedError(where, "partial: not lists of words")

    def hold(self, line: Mapping[str, Any], where: str) -> None:
        """Take in a finding.

        Raises:
            RefusedError: It is of a resource, source or check that the part is not about.
        """
        for field, asked in self._held.items():
            if line[field] not in asked:
                raise RefusedError(where, f"the {field} {line[field]} is none that this part is about")
        self._without.discard(line["resource"])

    def remarks(self) -> list[str]:
        """What a part does not show, and which of the resources asked for it tells nothing of."""
        if not self._partial:
            return []
        some = sorted(self._without)
        more = f" and {len(some) - NAMED} more" if len(some) > NAMED else ""
        silent = (
            f"of {len(some)} of the {len(self._held['resource'])} resources asked for it tells no finding, and does not show"
            f" that there was none: {', '.join(some[:NAMED])}{more}"
            if some
            else ""
        )
        return [*LIMITS, silent] if silent else list(LIMITS)
