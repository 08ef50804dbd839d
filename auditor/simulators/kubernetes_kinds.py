"""Which kinds of objects the small cluster serves, where their paths are, and how discovery names them.

The built-in ones read as a 1.36 server lists them (the contract test holds this table against a recording); kinds of
custom resources join when their CustomResourceDefinition is put into the store, as in a real cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_VERBS = {
    "namespaces": tuple(verb for verb in ALL_VERBS if verb != "deletecollection"),
    "selfsubjectreviews": ("create",),
    "selfsubjectaccessreviews": ("create",),
    "selfsubjectrulesreviews": ("create",),
    "subjectaccessreviews": ("create",),
}
# group/version, resource, kind, n(amespaced) or c(luster), short names, categories; "-" is none.
_TABLE = """
v1 configmaps ConfigMap n cm -
v1 endpoints Endpoints n ep -
v1 events Event n ev -
v1 limitranges LimitRange n limits -
v1 namespaces Namespace c ns -
v1 nodes Node c no -
v1 persistentvolumeclaims PersistentVolumeClaim n pvc -
v1 persistentvolumes PersistentVolume c pv -
v1 pods Pod n po all
v1 podtemplates PodTemplate n - -
v1 replicationcontrollers ReplicationController n rc all
v1 resourcequotas ResourceQuota n quota -
v1 secrets Secret n - -
v1 serviceaccounts ServiceAccount n sa -
v1 services Service n svc all
apps/v1 controllerrevisions ControllerRevision n - -
apps/v1 daemonsets DaemonSet n ds all
apps/v1 deployments Deployment n deploy all
apps/v1 replicasets ReplicaSet n rs all
apps/v1 statefulsets StatefulSet n sts all
authentication.k8s.io/v1 selfsubjectreviews SelfSubjectReview c - -
authorization.k8s.io/v1 selfsubjectaccessreviews SelfSubjectAccessReview c - -
authorization.k8s.io/v1 selfsubjectrulesreviews SelfSubjectRulesReview c - -
authorization.k8s.io/v1 subjectaccessreviews SubjectAccessReview c - -
autoscaling/v2 horizontalpodautoscalers HorizontalPodAutoscaler n hpa all
batch/v1 cronjobs CronJob n cj all
batch/v1 jobs Job n - all
certificates.k8s.io/v1 certificatesigningrequests CertificateSigningRequest c csr -
networking.k8s.io/v1 ingressclasses IngressClass c - -
networking.k8s.io/v1 ingresses Ingress n ing -
networking.k8s.io/v1 networkpolicies NetworkPolicy n netpol -
policy/v1 poddisruptionbudgets PodDisruptionBudget n pdb -
rbac.authorization.k8s.io/v1 clusterrolebindings ClusterRoleBinding c - -
rbac.authorization.k8s.io/v1 clusterroles ClusterRole c - -
rbac.authorization.k8s.io/v1 rolebindings RoleBinding n - -
rbac.authorization.k8s.io/v1 roles Role n - -
storage.k8s.io/v1 storageclasses StorageClass c sc -
admissionregistration.k8s.io/v1 mutatingwebhookconfigurations MutatingWebhookConfiguration c - api-extensions
admissionregistration.k8s.io/v1 validatingadmissionpolicies ValidatingAdmissionPolicy c - api-extensions
admissionregistration.k8s.io/v1 validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding c - api-extensions
admissionregistration.k8s.io/v1 validatingwebhookconfigurations ValidatingWebhookConfiguration c - api-extensions
apiextensions.k8s.io/v1 customresourcedefinitions CustomResourceDefinition c crd,crds api-extensions
scheduling.k8s.io/v1 priorityclasses PriorityClass c pc -
coordination.k8s.io/v1 leases Lease n - -
node.k8s.io/v1 runtimeclasses RuntimeClass c - -
discovery.k8s.io/v1 endpointslices EndpointSlice n - -
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object: ``resource`` is the plural in its path, ``group`` is empty for the core."""

    group: str
    version: str
    resource: str
    kind: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    custom: bool = False
    singular: str = ""
    list_kind: str = ""

    @property
    def api_version(self) -> str:
        """How objects name it, such as ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """How messages name it, such as ``deployments.apps``."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    @property
    def verbs(self) -> tuple[str, ...]:
        """What discovery says one may do with it."""
        return _VERBS.get(self.resource, ALL_VERBS)

    def discovered(self) -> dict[str, Any]:
        """Its entry in the list of its group's resources."""
        entry: dict[str, Any] = {
            "name": self.resource,
            "singularName": self.singular or self.kind.lower(),
            "namespaced": self.namespaced,
            "kind": self.kind,
            "verbs": list(self.verbs),
        }
        if self.short_names:
            entry["shortNames"] = list(self.short_names)
        if self.categories:
            entry["categories"] = list(self.categories)
        return entry


class Kinds:
    """The kinds served at the moment; custom ones come and go with their definitions."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str, str], Kind] = {
            (kind.group, kind.version, kind.resource): kind for kind in _built_in()
        }

    def __iter__(self) -> Iterator[Kind]:
        return iter(tuple(self._kinds.values()))

    def get(self, group: str, version: str, resource: str) -> Kind | None:
        """The kind at this place of the API, or None."""
        return self._kinds.get((group, version, resource))

    def of(self, document: Mapping[str, Any]) -> Kind:
        """The kind of an object that names its ``apiVersion`` and ``kind``.

        Raises:
            LookupError: The cluster has no such kind; put its definition first.
        """
        for kind in self:
            if kind.api_version == document.get("apiVersion") and kind.kind == document.get("kind"):
                return kind
        raise LookupError(f"no kind {document.get('kind')!r} in {document.get('apiVersion')!r}")

    def named(self, name: str) -> Kind:
        """The kind called ``Pod``, ``pods`` or ``deployments.apps``; built-in ones win over custom ones.

        Raises:
            LookupError: Nothing is called so.
        """
        for kind in self:
            if name in {kind.kind, kind.resource, kind.qualified}:
                return kind
        raise LookupError(f"no kind is called {name!r}")

    def define(self, definition: Mapping[str, Any]) -> None:
        """Serve what a CustomResourceDefinition defines."""
        spec = definition["spec"]
        names = spec["names"]
        for version in spec["versions"]:
            kind = Kind(
                spec["group"],
                version["name"],
                names["plural"],
                names["kind"],
                namespaced=spec["scope"] == "Namespaced",
                short_names=tuple(names.get("shortNames", ())),
                categories=tuple(names.get("categories", ())),
                custom=True,
                singular=names.get("singular", ""),
                list_kind=names.get("listKind", ""),
            )
            if version.get("served", True):
                self._kinds[kind.group, kind.version, kind.resource] = kind

    def undefine(self, definition: Mapping[str, Any]) -> None:
        """Serve it no more."""
        spec = definition["spec"]
        for version in spec["versions"]:
            self._kinds.pop((spec["group"], version["name"], spec["names"]["plural"]), None)


def _built_in() -> Iterator[Kind]:
    for line in _TABLE.split("\n"):
        if not line:
            continue
        place, resource, kind, scope, short_names, categories = line.split()
        group, _, version = place.rpartition("/")
        yield Kind(group, version, resource, kind, scope == "n", _words(short_names), _words(categories))


def _words(text: str) -> tuple[str, ...]:
    return () if text == "-" else tuple(text.split(","))
