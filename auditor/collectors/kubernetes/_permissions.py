"""The least ClusterRole that collection needs, read from the declarations: list, watch, and nothing that writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from auditor.collectors.kubernetes._requests import VERSION, parts
from auditor.domain.resource_type import Listing, ResourceType

NAME = "auditor-reads"
HEAD = """\
# What Auditor asks of a cluster, read from its declarations. Bind it to the account that it asks as.
# Who we are is asked with selfsubjectreviews, which every authenticated account may do. Without watch, changes show with the
# next run instead of within a minute.
"""
SECRETS = """\
# Secrets are asked for as metadata alone, so that no content is sent; the right to list them would allow more. Take that
# rule out if you will not grant it: what rests on it is told as unknown then.
"""


def rules(kinds: Iterable[ResourceType]) -> list[dict[str, list[str]]]:
    """The rules for these types: one per API group and verbs, and one for paths that are no resources."""
    reads = [read for kind in kinds for read in kind.reads]
    operations = {operation for read in reads for operation in read.operations}
    watched = {read.operation for read in reads if isinstance(read, Listing) and read.watched}
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for operation in operations - {VERSION}:
        group, _, plural = parts(operation)
        groups.setdefault((group, ("list", "watch") if operation in watched else ("list",)), []).append(plural)
    found = [
        {"apiGroups": [group], "resources": sorted(plurals), "verbs": list(verbs)}
        for (group, verbs), plurals in sorted(groups.items())
    ]
    return [*found, {"nonResourceURLs": ["/version"], "verbs": ["get"]}] if VERSION in operations else found


def cluster_role(kinds: Iterable[ResourceType]) -> str:
    """The ClusterRole as YAML that ``kubectl apply -f -`` takes."""
    listed = rules(kinds)
    told: dict[str, Any] = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": NAME},
        "rules": listed,
    }
    secrets = any("secrets" in rule.get("resources", ()) for rule in listed)
    return HEAD + (SECRETS if secrets else "") + yaml.safe_dump(told, sort_keys=False)
