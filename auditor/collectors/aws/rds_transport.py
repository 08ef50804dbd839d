"""Whether a database engine turns plain connections away: one parameter per family, and its default per version."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from auditor.collectors.aws._tables import table
from auditor.domain.reading import UNSEEN_KEY, Reading, Seen, Unseen, as_reading, both

TRANSPORT_PARAMETERS = ("rds.force_ssl", "require_secure_transport")
PARAMETER_OF = {
    "postgres": "rds.force_ssl",
    "sqlserver": "rds.force_ssl",
    "mysql": "require_secure_transport",
}
FAMILIES = {
    "postgres": "postgres",
    "aurora-postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "aurora-mysql": "mysql",
    "aurora": "mysql",
}
ON = frozenset({"1", "on", "true"})
OFF = frozenset({"0", "off", "false"})


def family_of(engine: str) -> str:
    """``postgres``, ``mysql``, ``sqlserver``, or ``other`` for engines without such a parameter."""
    if engine.startswith("sqlserver-"):
        return "sqlserver"
    return FAMILIES.get(engine, "other")


def refuses_plain(
    engine: Reading[str],
    version: Reading[str],
    parameters: Reading[list[Mapping[str, Any]] | None],
    *,
    status: Reading[str | None] = Seen(None),  # noqa: B008  (a frozen value)
) -> Reading[bool]:
    """Whether the engine is set to refuse connections without TLS, by its parameter or by the default of its version.

    Args:
        engine: The service's name of the engine.
        version: The engine's version.
        parameters: The transport parameters of the group in use; null if they were not asked for.
        status: Whether the group's last changes are in force on the instance; null if that is not told.
    """
    match both(both(engine, version), both(parameters, status)):
        case Seen(((name, number), (rows, applied))):
            return _judged(name, str(number), rows, applied)
        case Unseen() as hidden:
            return hidden
        case never:
            assert_never(never)


def _judged(engine: str, version: str, rows: Sequence[Mapping[str, Any]] | None, applied: str | None) -> Reading[bool]:
    family = family_of(engine)
    if family == "other":
        return Unseen(f"{engine} has no parameter that requires TLS")
    if rows is None:
        return Unseen("no parameter group is named")
    row = next((row for row in rows if row.get("ParameterName") == PARAMETER_OF[family]), None)
    cut_short = next((as_reading(row) for row in rows if UNSEEN_KEY in row), None)
    if row is None and isinstance(cut_short, Unseen):
        return cut_short
    row = row or {}
    value = row.get("ParameterValue")
    if value is None:
        return _default(engine, version)
    if row.get("ApplyType") == "static" and applied not in {None, "in-sync"}:
        return Unseen(f"the parameter group is {applied}")
    if str(value).lower() in ON:
        return Seen(value=True)
    if str(value).lower() in OFF:
        return Seen(value=False)
    return Unseen(f"{PARAMETER_OF[family]} has an unfamiliar value")


def _default(engine: str, version: str) -> Reading[bool]:
    first = table("rds_tls_defaults", "first").rows.get(engine)
    if first is None:
        return Seen(value=False)
    numbers = re.match(r"\d+(\.\d+)*", version)
    if numbers is None:
        return Unseen(f"the default of {engine} {version} is not known")
    return Seen(tuple(int(part) for part in numbers[0].split(".")) >= tuple(first))
