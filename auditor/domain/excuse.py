"""Which tag takes a resource out of a check: told in the reason of its verdict, and found there again by pages.

A condition that a tag decides reads a field called ``tag`` or ``tags``, alone or at the end of a longer name, whose text
is ``KEY=VALUE``; a test over all controls holds them to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

TAG_FIELD = re.compile(r"(^|[._])tags?(\[\d+\])?$")
TAG_NAME = re.compile(r"\b(?:\w+_)?tags?\b")
WORDS = "; excused by tag "


def by_tag(values: Iterable[tuple[str, Any]]) -> str:
    """What to add to the reason of a verdict that these values decided; nothing where none of them is a tag."""
    tags = [value for path, value in values if TAG_FIELD.search(path) and isinstance(value, str) and "=" in value]
    return f"{WORDS}{', '.join(dict.fromkeys(tags))}" if tags else ""


def excusing_tag(reason: str) -> str:
    """The tag (``KEY=VALUE``) that a reason names; empty where no tag excused the resource."""
    return reason.partition(WORDS)[2]


def reads_tags(condition: str | None) -> bool:
    """Whether a condition may be decided by a tag."""
    return condition is not None and TAG_NAME.search(condition) is not None
