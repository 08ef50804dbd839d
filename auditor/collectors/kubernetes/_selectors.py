"""Label selectors as objects hold them: ``matchLabels`` and ``matchExpressions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditor.collectors.kubernetes._about import texts, words
from auditor.domain.cluster_network import Expression, Selector


def selector(value: Mapping[str, Any] | None) -> Selector | None:
    """A selector as objects hold it; ``None`` stays ``None``: what it means differs from kind to kind."""
    if value is None:
        return None
    return Selector(
        texts(value.get("matchLabels")),
        tuple(
            Expression(str(one["key"]), str(one["operator"]), words(one.get("values")))
            for one in value.get("matchExpressions") or ()
        ),
    )
