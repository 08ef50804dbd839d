"""Meadowbrook Health's cluster: the company of ``company`` in Kubernetes, with the order and the disorder of a real one.

Good and bad stand side by side, and beside each bad thing one that only looks like it. Names are fixed, so two builds read
alike. The rights and the workloads stand in ``kubernetes_company_rights`` and ``kubernetes_company_work``;
``large`` is the world for benchmarks.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_company_custom import custom
from auditor.simulators.kubernetes_company_plane import control_plane, nodes
from auditor.simulators.kubernetes_company_rights import AUDITOR, NARROW, rights
from auditor.simulators.kubernetes_company_work import work
from auditor.simulators.kubernetes_large import large
from auditor.simulators.kubernetes_objects import (
    Document,
    account,
    ingress,
    namespace,
    policy,
    secret,
    service,
    settings,
    thing,
    webhooks,
)

__all__ = ["AUDITOR", "NARROW", "build", "large"]

_LEVEL = "pod-security.kubernetes.io"
NAMESPACES: dict[str, dict[str, str]] = {
    "portal": {f"{_LEVEL}/enforce": "restricted", f"{_LEVEL}/enforce-version": "v1.36", "phi": "true"},
    "records": {f"{_LEVEL}/enforce": "baseline", f"{_LEVEL}/warn": "restricted", "phi": "true"},
    "telehealth": {
        f"{_LEVEL}/warn": "restricted",
        f"{_LEVEL}/audit": "restricted",
        "phi": "true",
    },  # warned, never refused
    "imaging": {f"{_LEVEL}/enforce": "privileged", "phi": "true"},  # a level that enforces nothing
    "billing": {"phi": "true"},
    "intake": {f"{_LEVEL}/enforce": "baseline"},
    "etl": {},
    "monitoring": {f"{_LEVEL}/enforce": "privileged"},
    "ingress-nginx": {f"{_LEVEL}/enforce": "baseline"},
    "ci-runners": {},
    "policy": {f"{_LEVEL}/enforce": "restricted"},
    "auditor": {f"{_LEVEL}/enforce": "restricted"},
    "sandbox": {},  # nothing in it but what every namespace has
}
"""The company's namespaces and their labels, beside the four that every cluster has."""
_EVERYWHERE = ("default", "kube-node-lease", "kube-public", "kube-system")
_FROM_WORLD = {"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}
_TO_DNS = {"to": [{"namespaceSelector": {}}], "ports": [{"protocol": "UDP", "port": 53}]}
_LEAK = "correct-horse"


def build(cluster: ClusterApi, *, managed: bool = False) -> None:
    """Furnish a cluster, started or not; in a ``managed`` one the control plane's pods and nodes are the provider's and unseen."""
    cluster.put_all(namespace(name, labels) for name, labels in NAMESPACES.items())
    for place in (*_EVERYWHERE, *NAMESPACES):
        cluster.put(account(place, "default", mounts_token=False if place in {"portal", "auditor"} else None))
        cluster.put(settings(place, "kube-root-ca.crt", {"ca.crt": "made up"}))
    cluster.put_all(nodes(managed=managed))
    cluster.put_all(rights())
    for documents in (_network(), _exposure(), _contents(), _admission(), _limits(), _disks()):
        cluster.put_all(documents)
    cluster.put_all(custom())
    work(cluster)
    control_plane(cluster, managed=managed)


def _network() -> Iterator[Document]:
    both = ["Ingress", "Egress"]
    yield policy("portal", "default-deny", {"policyTypes": both})
    yield policy("portal", "web-in", {"policyTypes": ["Ingress"], "ingress": [_FROM_WORLD]})
    yield policy("portal", "dns-out", {"policyTypes": ["Egress"], "egress": [_TO_DNS]})
    yield policy("records", "default-deny-in", {"policyTypes": ["Ingress"]})  # one direction alone
    yield policy("telehealth", "default-deny-out", {"policyTypes": ["Egress"]})
    yield policy(
        "intake", "allow-all", {"policyTypes": both, "ingress": [{}], "egress": [{}]}
    )  # a policy that denies nothing
    some = {"matchLabels": {"app": "billing-api"}}
    yield policy("billing", "api-only", {"podSelector": some, "policyTypes": ["Ingress"]})  # leaves the other pods open
    # No policyTypes: without egress rules that means Ingress alone, and an empty list there denies all of it.
    yield policy("monitoring", "untyped", {"ingress": []})
    # Selects every pod by an expression that looks like a choice.
    chosen = {"matchExpressions": [{"key": "no-such-label", "operator": "DoesNotExist"}]}
    yield policy("policy", "default-deny", {"podSelector": chosen, "policyTypes": both})


def _exposure() -> Iterator[Document]:
    yield service("portal", "patient-portal")
    yield service("portal", "scheduling", "ClusterIP", externalIPs=["203.0.113.7"])
    yield service("records", "records-api", "NodePort")
    yield service("records", "records-db", "ClusterIP", clusterIP="None")
    yield service("telehealth", "signaling", "LoadBalancer")  # open to everyone
    yield service("telehealth", "media-relay", "LoadBalancer", loadBalancerSourceRanges=["198.51.100.0/24"])
    inside = service("imaging", "viewer", "LoadBalancer")
    inside["metadata"]["annotations"] = {"service.beta.kubernetes.io/aws-load-balancer-internal": "true"}
    yield inside
    wide = service("billing", "billing-api", "LoadBalancer", loadBalancerSourceRanges=["10.0.0.0/8", "0.0.0.0/0"])
    yield wide
    yield thing(
        "v1", "Service", "clearing-house", "billing", spec={"type": "ExternalName", "externalName": "edi.example"}
    )
    yield service("intake", "intake-forms")
    yield service("ingress-nginx", "ingress-nginx", "LoadBalancer")
    yield ingress("portal", "patient-portal", ["portal.meadowbrook.example"], ["portal.meadowbrook.example"])
    hosts = ["records.meadowbrook.example", "records-old.meadowbrook.example"]
    yield ingress("records", "records-api", hosts, hosts[:1])  # TLS for one of two
    yield ingress("intake", "intake-forms", ["intake.meadowbrook.example"], [])
    yield ingress(
        "telehealth", "signaling", ["eu.telehealth.meadowbrook.example"], ["*.telehealth.meadowbrook.example"]
    )
    yield thing("networking.k8s.io/v1", "IngressClass", "nginx", spec={"controller": "k8s.io/ingress-nginx"})


def _contents() -> Iterator[Document]:
    yield secret("portal", "patient-portal-tls", "kubernetes.io/tls", tls_crt="made up", tls_key="made up")
    yield secret("records", "records-api-tls", "kubernetes.io/tls", tls_crt="made up", tls_key="made up")
    yield secret("records", "records-db", password=_LEAK)
    yield secret("billing", "claims-gateway", token=_LEAK)
    yield secret("etl", "registry", "kubernetes.io/dockerconfigjson", _dockerconfigjson="{}")
    old = secret("ci-runners", "runner-token", "kubernetes.io/service-account-token", token="made up")  # noqa: S106 - made up
    old["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "runner"}  # a token without an end
    yield old
    frozen = secret("portal", "portal-session", key=_LEAK)
    yield frozen | {"immutable": True}
    yield settings(
        "portal", "portal", {"LOG_LEVEL": "info", "PASSWORD_MIN_LENGTH": "12", "DB_PASSWORD_FILE": "/run/db"}
    )
    yield settings("records", "records", {"application.yaml": f"datasource:\n  user: records\n  password: {_LEAK}\n"})
    yield settings(
        "etl", "warehouse", {"DATABASE_URL": f"postgres://etl:{_LEAK}@warehouse.records.svc/phi", "BATCH": "500"}
    )
    yield settings(
        "billing", "billing", {"CLEARING_HOUSE_TOKEN": "claims-gateway", "API_KEY": ""}
    )  # a name and nothing
    applied = settings("etl", "copied", {"MODE": "nightly"})
    # What `kubectl apply` leaves behind: an older form of the object, with what has been taken out of it since.
    applied["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": f'{{"kind":"ConfigMap","data":{{"DB_PASSWORD":"{_LEAK}"}}}}'
    }
    yield applied


def _admission() -> Iterator[Document]:
    yield webhooks("ValidatingWebhookConfiguration", "image-signatures", failure_policy="Fail")
    yield webhooks("ValidatingWebhookConfiguration", "pod-rules", failure_policy="Ignore", skips=["kube-system", "etl"])
    yield webhooks("MutatingWebhookConfiguration", "sidecars", failure_policy="Ignore")
    group = "admissionregistration.k8s.io"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
    for name, actions in (("registry", ["Deny"]), ("labels", ["Audit", "Warn"])):
        checks = [{"expression": "object.metadata.labels.exists(key, key == 'app')"}]
        rule = {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules}, "validations": checks}
        yield thing(f"{group}/v1", "ValidatingAdmissionPolicy", name, spec=rule)
        bound = {"policyName": name, "validationActions": actions}
        yield thing(f"{group}/v1", "ValidatingAdmissionPolicyBinding", name, spec=bound)


def _limits() -> Iterator[Document]:
    for place in ("portal", "records"):
        yield thing("v1", "ResourceQuota", "quota", place, spec={"hard": {"pods": "50", "limits.memory": "64Gi"}})
        limit = {"type": "Container", "default": {"memory": "256Mi"}, "defaultRequest": {"memory": "64Mi"}}
        yield thing("v1", "LimitRange", "limits", place, spec={"limits": [limit]})
        chosen = {"matchLabels": {"app": "patient-portal" if place == "portal" else "records-api"}}
        yield thing(
            "policy/v1", "PodDisruptionBudget", "one-stays", place, spec={"minAvailable": 1, "selector": chosen}
        )
    aim = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "patient-portal"}
    scale = {"scaleTargetRef": aim, "minReplicas": 2, "maxReplicas": 6}
    yield thing("autoscaling/v2", "HorizontalPodAutoscaler", "patient-portal", "portal", spec=scale)


def _disks() -> Iterator[Document]:
    for name, encrypted in (("gp3-encrypted", "true"), ("standard", "")):
        parameters = {"type": "gp3"} | ({"encrypted": encrypted} if encrypted else {})
        made = thing("storage.k8s.io/v1", "StorageClass", name, provisioner="ebs.csi.aws.com", parameters=parameters)
        yield made | {"reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer"}
    for place, name, kind in (("records", "data-records-db-0", "gp3-encrypted"), ("imaging", "scans", "standard")):
        volume = f"pvc-{place}-{name}"
        size = {"storage": "100Gi"}
        spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": kind}
        claim = {**spec, "volumeName": volume, "resources": {"requests": size}}
        yield thing("v1", "PersistentVolumeClaim", name, place, spec=claim, status={"phase": "Bound", "capacity": size})
        held = {"claimRef": {"kind": "PersistentVolumeClaim", "namespace": place, "name": name}, "capacity": size}
        source = {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": f"vol-{place}"}}
        kept = {**spec, **held, **source, "persistentVolumeReclaimPolicy": "Delete"}
        yield thing("v1", "PersistentVolume", volume, spec=kept, status={"phase": "Bound"})
