"""What all controllers share: how many pods they want, which they pick, and the template that they make them from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.kubernetes._about import Owner, fields, labels_of, name_of, namespace_of, owner_of, texts, told
from auditor.collectors.kubernetes._listing import listing
from auditor.collectors.kubernetes._pod_spec import PodSpec, paths, pod_spec, scan_environment
from auditor.collectors.kubernetes._selectors import selector
from auditor.domain.cluster_network import Selector
from auditor.domain.projection import project, tree
from auditor.domain.reading import Readings
from auditor.domain.resource_type import Listing, ResourceType

OWNING = frozenset({"Deployment", "CronJob"})
"""Controllers that make other controllers."""


@dataclass(frozen=True, slots=True)
class Controller:
    """A controller of pods; ``replicas`` is null where it has no such number. ``pod_labels`` are those of its template."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    owner: Owner | None
    replicas: int | None
    selector: Selector | None
    pod_labels: Mapping[str, str]
    template: PodSpec | None


def controllers(operation: str, kind: str, *, template: str = "spec.template") -> Listing:
    """The listing of a kind of controller whose pod template stands under this path.

    The template of one that another of these controllers owns is not kept: its owner's is the same, and there are ten of
    these to each of those.
    """
    kept = (f"{template}.metadata.labels", *paths(f"{template}.spec"))
    return listing(
        operation,
        kind,
        keep=("spec.replicas", "spec.suspend", "spec.selector"),
        add=_kept_of(template, kept),
        added=("template", "environment"),
    )


def describe_controller(seen: Readings) -> Controller:
    """The controller as it was written, its selector and replicas as far as the kind has them."""
    spec, template = fields(seen, "spec"), told(seen, "template")
    about = (template or {}).get("metadata") or {}
    return Controller(
        name=name_of(seen),
        namespace=namespace_of(seen),
        labels=labels_of(seen),
        owner=owner_of(seen),
        replicas=spec.get("replicas"),
        selector=selector(spec.get("selector")),
        pod_labels=texts(about.get("labels")),
        template=None if template is None else pod_spec(template.get("spec") or {}, told(seen, "environment")),
    )


def controller_type(
    name: str, title: str, operation: str, kind: str, *, template: str = "spec.template"
) -> ResourceType:
    """A declared kind of controller."""
    declared = ResourceType(
        name, version=2, title=title, place="account", listing=controllers(operation, kind, template=template)
    )
    declared.document(describe_controller)
    return declared


def _kept_of(path: str, kept: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    names = path.split(".")
    branches = tree(tuple(one.removeprefix(f"{path}.") for one in kept))

    def add(item: Mapping[str, Any]) -> Mapping[str, Any]:
        owners = (item.get("metadata") or {}).get("ownerReferences") or ()
        if any(one.get("controller") and one.get("kind") in OWNING for one in owners):
            return {}
        found: Mapping[str, Any] = item
        for name in names:
            found = found.get(name) or {}
        return {"template": project(found, branches), "environment": scan_environment(found.get("spec") or {})}

    return add
