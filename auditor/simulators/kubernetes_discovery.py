"""How the small cluster introduces itself: version, groups, and the resources of each."""

from __future__ import annotations

from typing import Any

from auditor.simulators.kubernetes_answers import Answer, document, no_such_page, text
from auditor.simulators.kubernetes_kinds import Kinds

VERSION = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2",
    "gitCommit": "simulated",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "go1.26.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_CHECKS = ("ping", "log", "informer-sync", "poststarthook/rbac/bootstrap-roles", "shutdown")


def discover(kinds: Kinds, path: str, address: str, *, verbose: bool = False) -> Answer:
    """The answer to a path that is about no object; unknown ones are answered in plain text, as the real server does."""
    parts = [part for part in path.split("/") if part]
    match parts:
        case ["version"]:
            return document(VERSION)
        case ["healthz" | "livez" | "readyz" as check]:
            lines = [*(f"[+]{name} ok" for name in _CHECKS), f"{check} check passed", ""]
            return text("\n".join(lines) if verbose else "ok")
        case ["api"]:
            where = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
            return document({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": where})
        case ["api", "v1"]:
            return document({"kind": "APIResourceList", "groupVersion": "v1", "resources": _resources(kinds, "v1")})
        case ["apis"]:
            return document({"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups(kinds)})
        case ["apis", name]:
            found = [group for group in _groups(kinds) if group["name"] == name]
            return document({"kind": "APIGroup", "apiVersion": "v1", **found[0]}) if found else no_such_page()
        case ["apis", group, version]:
            resources = _resources(kinds, f"{group}/{version}")
            head = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/{version}"}
            return document({**head, "resources": resources}) if resources else no_such_page()
        case _:
            return no_such_page()


def _resources(kinds: Kinds, api_version: str) -> list[dict[str, Any]]:
    found = sorted((kind for kind in kinds if kind.api_version == api_version), key=lambda kind: kind.resource)
    return [kind.discovered() for kind in found]


def _groups(kinds: Kinds) -> list[dict[str, Any]]:
    versions: dict[str, list[str]] = {}
    for kind in kinds:
        if kind.group and kind.version not in versions.setdefault(kind.group, []):
            versions[kind.group].append(kind.version)
    groups = []
    for group, told in versions.items():
        entries = [{"groupVersion": f"{group}/{version}", "version": version} for version in told]
        groups.append({"name": group, "versions": entries, "preferredVersion": entries[0]})
    return groups
