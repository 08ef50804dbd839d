"""What Meadowbrook's cluster knows beyond the built-in kinds: Gateways, Cilium's and Calico's policies, copies, certificates."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.simulators.kubernetes_objects import Document, definition, thing

_GATEWAY = "gateway.networking.k8s.io"
_CALICO = "crd.projectcalico.org"
_SNAPSHOTS = "snapshot.storage.k8s.io"


def custom() -> Iterator[Document]:
    """Definitions first, then objects of them."""
    yield from _definitions()
    yield from _gateways()
    yield from _policies()
    yield from _copies()


def _definitions() -> Iterator[Document]:
    yield definition(_GATEWAY, "v1", "gateways", "Gateway")
    yield definition(_GATEWAY, "v1", "httproutes", "HTTPRoute")
    yield definition("cilium.io", "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy")
    yield definition(
        "cilium.io", "v2", "ciliumclusterwidenetworkpolicies", "CiliumClusterwideNetworkPolicy", namespaced=False
    )
    yield definition(_CALICO, "v1", "networkpolicies", "NetworkPolicy")
    yield definition(_CALICO, "v1", "globalnetworkpolicies", "GlobalNetworkPolicy", namespaced=False)
    yield definition(_SNAPSHOTS, "v1", "volumesnapshots", "VolumeSnapshot")
    yield definition("velero.io", "v1", "backups", "Backup")
    yield definition("velero.io", "v1", "schedules", "Schedule")
    yield definition("cert-manager.io", "v1", "certificates", "Certificate")


def _gateways() -> Iterator[Document]:
    certificate = {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": "telehealth-tls"}]}
    secure = {"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "eu.telehealth.meadowbrook.example"}
    plain = {"name": "http", "port": 80, "protocol": "HTTP", "hostname": "old.telehealth.meadowbrook.example"}
    spec = {"gatewayClassName": "nginx", "listeners": [{**secure, "tls": certificate}, plain]}  # TLS for one of two
    yield thing(f"{_GATEWAY}/v1", "Gateway", "telehealth", "telehealth", spec=spec)
    routes = {"hostnames": ["old.telehealth.meadowbrook.example"], "parentRefs": [{"name": "telehealth"}]}
    yield thing(f"{_GATEWAY}/v1", "HTTPRoute", "old", "telehealth", spec={**routes, "rules": []})
    lasting: Document = {"secretName": "patient-portal-tls", "dnsNames": ["portal.meadowbrook.example"]}
    lasting |= {"issuerRef": {"kind": "ClusterIssuer", "name": "public"}}
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "notAfter": "2030-01-01T00:00:00Z"}
    yield thing("cert-manager.io/v1", "Certificate", "patient-portal", "portal", spec=lasting, status=ready)


def _policies() -> Iterator[Document]:
    # An empty rule denies by being there: Cilium's way of saying default deny.
    deny: Document = {"endpointSelector": {}, "ingress": [{}], "egress": [{}]}
    yield thing("cilium.io/v2", "CiliumNetworkPolicy", "default-deny", "imaging", spec=deny)
    open_ = {"endpointSelector": {}, "ingress": [{"fromEntities": ["all"]}]}
    yield thing("cilium.io/v2", "CiliumNetworkPolicy", "allow-all", "etl", spec=open_)
    only_dns = {
        "endpointSelector": {},
        "egress": [{"toEntities": ["kube-apiserver"]}],
        "enableDefaultDeny": {"egress": False},
    }
    yield thing("cilium.io/v2", "CiliumClusterwideNetworkPolicy", "reach-apiserver", spec=only_dns)
    both = {"selector": "all()", "types": ["Ingress", "Egress"]}
    yield thing(f"{_CALICO}/v1", "NetworkPolicy", "default.default-deny", "billing", spec=both)
    yield thing(f"{_CALICO}/v1", "GlobalNetworkPolicy", "default.log", spec={**both, "ingress": [{"action": "Allow"}]})


def _copies() -> Iterator[Document]:
    claim = {"source": {"persistentVolumeClaimName": "data-records-db-0"}}
    done = {"readyToUse": True, "creationTime": "2026-03-01T03:00:00Z"}
    yield thing(f"{_SNAPSHOTS}/v1", "VolumeSnapshot", "records-nightly", "records", spec=claim, status=done)
    kept = {"includedNamespaces": ["records", "portal"], "ttl": "720h0m0s"}
    yield thing("velero.io/v1", "Schedule", "nightly", "records", spec={"schedule": "0 2 * * *", "template": kept})
    ended = {"phase": "Completed", "completionTimestamp": "2026-03-01T02:10:00Z"}
    yield thing("velero.io/v1", "Backup", "nightly-20260301", "records", spec=kept, status=ended)
    yield thing("velero.io/v1", "Backup", "nightly-20260228", "records", spec=kept, status={"phase": "PartiallyFailed"})
