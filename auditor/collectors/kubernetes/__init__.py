"""Kubernetes: every declared resource type of the package, found by walking its modules; no client library is touched here."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from auditor.domain.resource_type import AnyType, DerivedType, ResourceType


@cache
def resource_types() -> tuple[AnyType, ...]:
    """All declared Kubernetes types, plain ones first, by name.

    Raises:
        RuntimeError: Two declarations share a name: one would hide the other.
    """
    found: dict[str, AnyType] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        if module.name.rsplit(".", 1)[1].startswith("_"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, (ResourceType, DerivedType)) and found.setdefault(value.name, value) is not value:
                raise RuntimeError(f"two resource types are called {value.name}")
    return tuple(sorted(found.values(), key=lambda kind: (isinstance(kind, DerivedType), kind.name)))
