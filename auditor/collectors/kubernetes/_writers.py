"""Who last wrote what is wanted of an object, by the object's own record of it (``managedFields``), which is not kept.

A manager is a name that the writer chose; nothing proves it. What writes a status alone is not asked about, and neither is an
object that a controller owns: whoever wrote the owner decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LONGEST = 128
"""Characters of a manager's name that the API takes."""
OPERATIONS = frozenset({"Apply", "Update"})
_ABOUT, _STATUS = "f:metadata", "f:status"


def writer(about: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Manager, operation and time of the latest write, from an object's metadata; none where it tells of none."""
    if any(one.get("controller") for one in about.get("ownerReferences") or ()):
        return None
    entries = [one for one in about.get("managedFields") or () if _wanted(one)]
    last = max(entries, key=lambda one: str(one["time"]), default=None)
    if last is None:
        return None
    return {"manager": str(last["manager"])[:LONGEST], "operation": str(last["operation"]), "at": str(last["time"])}


def _wanted(entry: Mapping[str, Any]) -> bool:
    """Whether an entry tells of a write to more than a status; labels and annotations alone are wanted too."""
    written = set(entry.get("fieldsV1") or ())
    named = bool(entry.get("manager") and entry.get("time")) and entry.get("operation") in OPERATIONS
    return (
        named
        and not entry.get("subresource")
        and bool(written)
        and (written == {_ABOUT} or bool(written - {_ABOUT, _STATUS}))
    )
