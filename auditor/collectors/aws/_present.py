"""Whether there is anything of a kind, for checks that ask no more than that: what it is, is not kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditor.domain.resource_type import Items, Read


def presence(operation: str, items: Items) -> Read:
    """A listing of which only one mark remains; ask the answer with ``_ec2.holds``."""
    return Read(operation, items=items, project=_mark)


def _mark(members: Sequence[Any]) -> list[str]:
    return ["present"] if members else []
