"""Operations as paths and as permissions: ``apps/v1:deployments`` is ``/apis/apps/v1/deployments``, ``list deployments.apps``."""

from __future__ import annotations

from urllib.parse import quote

VERSION = "version:get"
"""An operation that is no list."""
NAMED_SECRETS = "secrets:named"
"""The Secrets that somebody opted in to have read: known beforehand, so nothing is asked for it."""
READ_SECRET = "secrets:get"  # noqa: S105  (an operation's name)
"""One of them, read whole: the API gives no less."""
UNLISTED = frozenset({VERSION, NAMED_SECRETS, READ_SECRET})
"""Operations that the right to list does not cover."""


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


def secret_path(namespace: str, name: str) -> str:
    """Where one Secret is read."""
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets/{quote(name, safe='')}"


def named(name: str) -> str:
    """The selector of one name. Names of roles may hold what selectors are made of."""
    return "metadata.name=" + "".join(f"\\{one}" if one in "\\,=" else one for one in name)


def action_of(operation: str, namespace: str = "") -> str:
    """What must be allowed, as people write it: ``list deployments.apps in payments``."""
    if operation == VERSION:
        return "get /version"
    if operation in UNLISTED:
        return "get named secrets"
    group, _, plural = parts(operation)
    return f"list {plural}{'.' if group else ''}{group}" + (f" in {namespace}" if namespace else "")


def watching(operation: str, namespace: str = "") -> str:
    """What must be allowed to watch it: ``watch deployments.apps``."""
    return "watch" + action_of(operation, namespace).removeprefix("list")
