"""Meadowbrook's control plane and nodes: static pods with their flags, and machines of more than one version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_objects import Document, settings, thing
from auditor.simulators.kubernetes_workloads import container, pod_spec, run

_PKI = "/etc/kubernetes/pki"
FLAGS: dict[str, tuple[str, ...]] = {
    "kube-apiserver": (
        "--authorization-mode=Node,RBAC",
        "--anonymous-auth=true",
        f"--client-ca-file={_PKI}/ca.crt",
        "--enable-admission-plugins=NodeRestriction",
        f"--etcd-cafile={_PKI}/etcd/ca.crt",
        f"--etcd-certfile={_PKI}/apiserver-etcd-client.crt",
        f"--etcd-keyfile={_PKI}/apiserver-etcd-client.key",
        "--audit-log-path=/var/log/kubernetes/audit.log",  # and no age, size or policy beside it
        f"--kubelet-client-certificate={_PKI}/apiserver-kubelet-client.crt",
        f"--tls-cert-file={_PKI}/apiserver.crt",
        "--tls-min-version=VersionTLS12",
    ),  # no --encryption-provider-config: secrets lie in etcd as they are
    "kube-controller-manager": (
        "--bind-address=0.0.0.0",
        "--use-service-account-credentials=true",
        f"--root-ca-file={_PKI}/ca.crt",
        "--profiling",  # without a value: true
    ),
    "kube-scheduler": ("--bind-address=127.0.0.1", "--profiling=false"),
    "etcd": (
        "--client-cert-auth=true",
        f"--trusted-ca-file={_PKI}/etcd/ca.crt",
        f"--cert-file={_PKI}/etcd/server.crt",
        "--peer-client-cert-auth",
        "--auto-tls",
        "false",  # a flag and its value may stand apart
    ),
}
"""The flags of each part, as its static pod shows them."""


def nodes(*, managed: bool) -> Iterator[Document]:
    """The machines; the provider of a managed cluster keeps its own out of sight."""
    kubelets = {"worker-1": "v1.36.2", "worker-2": "v1.36.2", "worker-3": "v1.33.1"}  # the last was forgotten
    for name, version in (({} if managed else {"cp-1": "v1.36.2"}) | kubelets).items():
        made = thing("v1", "Node", name)
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
        made["metadata"]["labels"] = labels | ({"node-role.kubernetes.io/control-plane": ""} if name == "cp-1" else {})
        taint = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
        number = 10 + sorted({"cp-1", *kubelets}).index(name)
        info = {"kubeletVersion": version, "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": "amd64"}
        info |= {
            "osImage": "Bottlerocket OS 1.40",
            "kernelVersion": "6.12.30",
            "containerRuntimeVersion": "containerd://2.1.4",
        }
        made["spec"] = {"podCIDR": f"10.244.{number}.0/24"} | ({"taints": [taint]} if name == "cp-1" else {})
        made["status"] = {
            "nodeInfo": info,
            "addresses": [{"type": "InternalIP", "address": f"10.0.0.{number}"}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        }
        yield made


def control_plane(cluster: ClusterApi, *, managed: bool) -> None:
    """What runs in kube-system, and the settings of the parts that keep theirs in a ConfigMap."""
    spec = pod_spec(
        container("coredns", "registry.k8s.io/coredns/coredns:v1.13.1"), account="coredns", mounts_token=None
    )
    run(cluster, "Deployment", "kube-system", "coredns", spec)
    proxy = container("kube-proxy", "registry.k8s.io/kube-proxy:v1.36.2", security={"privileged": True}, probed=False)
    spec = pod_spec(proxy, account="kube-proxy", security={}, mounts_token=None, hostNetwork=True)
    run(cluster, "DaemonSet", "kube-system", "kube-proxy", spec)
    if managed:
        return
    configuration = "apiVersion: kubelet.config.k8s.io/v1beta1\nauthentication:\n  anonymous:\n    enabled: false\neventRecordQPS: 0\n"
    cluster.put(settings("kube-system", "kubelet-config", {"kubelet": configuration}))
    for name, flags in FLAGS.items():
        cluster.put(_static_pod(name, flags))


def _static_pod(name: str, flags: Sequence[str]) -> Document:
    """The mirror of a pod that the kubelet of the control plane's node runs from a file."""
    made = thing("v1", "Pod", f"{name}-cp-1", "kube-system")
    made["metadata"]["labels"] = {"component": name, "tier": "control-plane"}
    made["metadata"]["annotations"] = {
        "kubernetes.io/config.source": "file",
        "kubernetes.io/config.mirror": "d0f1",
        "kubernetes.io/config.hash": "d0f1",
    }
    owner = {"apiVersion": "v1", "kind": "Node", "name": "cp-1", "uid": "6c0d7b3c-5d63-4a0e-9a67-000000000001"}
    made["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    image = f"registry.k8s.io/{name}:{'3.6.5-0' if name == 'etcd' else 'v1.36.2'}"
    one: dict[str, Any] = container(name, image, security=None, limited=False, command=[name, *flags])
    spec = pod_spec(one, security={"seccompProfile": {"type": "RuntimeDefault"}}, mounts_token=None, hostNetwork=True)
    for account in ("serviceAccount", "serviceAccountName"):
        spec.pop(account)  # a static pod has none
    made["spec"] = spec | {"nodeName": "cp-1", "priority": 2000001000, "priorityClassName": "system-node-critical"}
    made["status"] = {"phase": "Running", "qosClass": "BestEffort"}
    return made
