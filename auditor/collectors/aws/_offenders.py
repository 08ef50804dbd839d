"""Members of a list that stand out, by name, with what could not be seen kept beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditor.collectors.aws._ec2 import Item, parts
from auditor.domain.reading import Reading, Seen, Unseen


def offenders(
    members: Reading[list[Any] | None], told: Callable[[Item], Reading[str | None]]
) -> tuple[str | Unseen, ...]:
    """What ``told`` says of each member, without those of which it says nothing, closed by what hid the rest."""
    seen, hidden = parts(members)
    said = (told(member) for member in seen)
    named = tuple(word if isinstance(word, Unseen) else str(word.value) for word in said if word != Seen(None))
    return named if hidden is None else (*named, hidden)
