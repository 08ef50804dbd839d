"""The least roles that collection needs, read from the declarations: list, watch, and nothing that writes.

By default one ClusterRole. Where only some namespaces are audited, what stands in namespaces is granted by a Role in each;
where certificates are read, a Role in their namespace grants these Secrets by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from auditor.collectors.kubernetes._listing import NAMESPACES
from auditor.collectors.kubernetes._requests import UNLISTED, VERSION, parts
from auditor.domain.resource_type import Listing, Read, ResourceType

NAME = "auditor-reads"
CERTIFICATES = "auditor-reads-certificates"
HEAD = """\
# What Auditor asks of a cluster, read from its declarations. Bind it to the account that it asks as.
# Who we are is asked with selfsubjectreviews, which every authenticated account may do. Without watch, changes show with the
# next run instead of within a minute.
"""
SECRETS = """\
# Secrets are asked for as metadata alone, so that no content is sent; the right to list them would allow more. Take that
# rule out if you will not grant it: what rests on it is told as unknown then.
"""


def roles(kinds: Iterable[ResourceType], *, namespaces: Sequence[str] = (), certificates: Sequence[str] = ()) -> str:
    """The roles as YAML that ``kubectl apply -f -`` takes."""
    reads = [read for kind in kinds for read in kind.reads]
    inside = [read for read in reads if NAMESPACES in read.params] if namespaces else []
    made = [_role(NAME, "", _rules([read for read in reads if read not in inside]))]
    made += [_role(NAME, one, _rules(inside)) for one in sorted(set(namespaces))]
    named: dict[str, set[str]] = {}
    for one in certificates:
        namespace, _, name = one.partition("/")
        named.setdefault(namespace, set()).add(name)
    for namespace, names in sorted(named.items()):
        rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": sorted(names), "verbs": ["get"]}
        made.append(_role(CERTIFICATES, namespace, [rule]))
    lists_secrets = any(
        "secrets" in rule.get("resources", ()) and "list" in rule["verbs"] for role in made for rule in role["rules"]
    )
    return HEAD + (SECRETS if lists_secrets else "") + yaml.safe_dump_all(made, sort_keys=False)


def _rules(reads: Sequence[Read]) -> list[dict[str, list[str]]]:
    """One per API group and verbs, and one for paths that are no resources."""
    operations = {operation for read in reads for operation in read.operations}
    watched = {read.operation for read in reads if isinstance(read, Listing) and read.watched}
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for operation in operations - UNLISTED:
        group, _, plural = parts(operation)
        groups.setdefault((group, ("list", "watch") if operation in watched else ("list",)), []).append(plural)
    found = [
        {"apiGroups": [group], "resources": sorted(plurals), "verbs": list(verbs)}
        for (group, verbs), plurals in sorted(groups.items())
    ]
    return [*found, {"nonResourceURLs": ["/version"], "verbs": ["get"]}] if VERSION in operations else found


def _role(name: str, namespace: str, rules: list[dict[str, list[str]]]) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
        "rules": rules,
    }
