"""Operations as paths and as permissions: ``apps/v1:deployments`` is ``/apis/apps/v1/deployments``, ``list deployments.apps``."""

from __future__ import annotations

from urllib.parse import quote

VERSION = "version:get"
"""The one operation that is no list."""


def parts(operation: str) -> tuple[str, str, str]:
    """Group (empty for the core), version and plural of an operation."""
    address, _, plural = operation.partition(":")
    group, _, version = address.partition("/")
    return ("" if group == "core" else group), version, plural


def path_of(operation: str, namespace: str = "") -> str:
    """Where the server answers it, in all namespaces or in one."""
    if operation == VERSION:
        return "/version"
    group, version, plural = parts(operation)
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    return f"{root}/namespaces/{quote(namespace, safe='')}/{plural}" if namespace else f"{root}/{plural}"


def named(name: str) -> str:
    """The selector of one name. Names of roles may hold what selectors are made of."""
    return "metadata.name=" + "".join(f"\\{one}" if one in "\\,=" else one for one in name)


def action_of(operation: str, namespace: str = "") -> str:
    """What must be allowed, as people write it: ``list deployments.apps in payments``."""
    if operation == VERSION:
        return "get /version"
    group, _, plural = parts(operation)
    return f"list {plural}{'.' if group else ''}{group}" + (f" in {namespace}" if namespace else "")


def watching(operation: str, namespace: str = "") -> str:
    """What must be allowed to watch it: ``watch deployments.apps``."""
    return "watch" + action_of(operation, namespace).removeprefix("list")
