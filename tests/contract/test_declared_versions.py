"""A type's version is raised when what it keeps, or the function that makes its document, changes.

Documents are derived again from kept evidence, by whoever holds a bundle: under one version they must come out the same.
"""

from __future__ import annotations

import pytest

from auditor.collectors.declared import resource_types
from tests.fixtures.declarations import declared, recorded

AGAIN = "python -m tests.fixtures.declarations"


@pytest.mark.parametrize("name", [kind.name for kind in resource_types()])
def test_what_changed_has_another_version(name: str) -> None:
    now, before = declared()[name], recorded().get(name)
    assert before is not None, f"a new type: record it with {AGAIN}"
    if now["digest"] != before["digest"]:
        assert now["version"] > before["version"], f"{name} changed: raise its version, then record it with {AGAIN}"
        pytest.fail(f"{name} changed and has version {now['version']}: record it with {AGAIN}")
    assert now["version"] == before["version"], f"{name} has version {now['version']}: record it with {AGAIN}"


def test_what_is_recorded_is_declared() -> None:
    assert recorded().keys() == declared().keys()
