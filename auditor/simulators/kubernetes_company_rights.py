"""Who may do what in Meadowbrook's cluster: roles and bindings in every shape that is easily misread."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.simulators.kubernetes_objects import Document, account, binding, role, rule

AUDITOR = ("auditor", "auditor")
"""Namespace and name of the account that may list everything, and of secrets no more than that."""
NARROW = ("auditor", "auditor-narrow")
"""The account that may read pods, namespaces and deployments alone: the rest must come out as not seen."""
_READ = "get,list,watch"
_CUSTOM = "cilium.io,crd.projectcalico.org,gateway.networking.k8s.io,snapshot.storage.k8s.io,velero.io,cert-manager.io"
_BUILT_IN = (
    "apps,batch,autoscaling,policy,networking.k8s.io,rbac.authorization.k8s.io,storage.k8s.io,"
    "admissionregistration.k8s.io,apiextensions.k8s.io,scheduling.k8s.io,node.k8s.io,certificates.k8s.io"
)
_CORE = (
    "configmaps,endpoints,events,limitranges,namespaces,nodes,persistentvolumeclaims,persistentvolumes,pods,"
    "replicationcontrollers,resourcequotas,serviceaccounts,services"
)


def rights() -> Iterator[Document]:
    """Accounts, roles and bindings, the auditor's own among them."""
    yield from _accounts()
    yield from _ours()
    yield from _cluster_wide()
    yield from _within_namespaces()


def _accounts() -> Iterator[Document]:
    for place in ("portal", "records", "telehealth", "imaging", "billing", "intake", "etl", "monitoring", "policy"):
        yield account(place, "app", mounts_token=False if place in {"portal", "records", "policy"} else None)
    yield account("ci-runners", "runner")
    yield account("ingress-nginx", "ingress-nginx")
    yield account(*AUDITOR, mounts_token=False)
    yield account(*NARROW, mounts_token=False)
    for name in ("coredns", "kube-proxy"):
        yield account("kube-system", name)


def _ours() -> Iterator[Document]:
    reading = [rule(_READ, _CORE), rule(_READ, "*", groups=f"{_BUILT_IN},{_CUSTOM}"), rule("list", "secrets")]
    yield role("auditor-read", *reading)
    yield binding("auditor-read", "ClusterRole/auditor-read", "/".join(AUDITOR))
    yield role("auditor-narrow", rule(_READ, "pods,namespaces,deployments", groups=",apps"))
    yield binding("auditor-narrow", "ClusterRole/auditor-narrow", "/".join(NARROW))


def _cluster_wide() -> Iterator[Document]:
    yield binding("platform-admins", "ClusterRole/cluster-admin", "Group/meadowbrook:platform")
    yield binding("breakglass", "ClusterRole/cluster-admin", "User/oncall@meadowbrook.example")
    yield binding("old-breakglass", "ClusterRole/cluster-admin")  # without subjects: nobody
    yield binding("departed", "ClusterRole/cluster-admin", "etl/ghost")  # an account that is not there
    yield binding("retired", "ClusterRole/retired-operator", "monitoring/app")  # a role that is not there
    yield binding("staff-views", "ClusterRole/view", "Group/meadowbrook:staff")
    yield binding("strangers-see-health", "ClusterRole/system:public-info-viewer", "User/system:anonymous")
    yield role("strangers-list-pods", rule("list", "pods"))
    yield binding("strangers-list-pods", "ClusterRole/strangers-list-pods", "Group/system:unauthenticated")
    yield binding("accounts-read-nodes", "ClusterRole/node-reader", "Group/system:serviceaccounts:monitoring")
    yield role("node-reader", rule(_READ, "nodes"))
    # Joins ``view`` by its label: whoever is bound to ``view`` lists secrets since.
    label = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    yield role("reports-extend-view", rule("get,list", "secrets"), labels=label)
    # The danger stands in the first rule, harmless ones follow.
    yield role("etl-operator", rule("*", "*", groups="*"), rule("get", "configmaps"), rule("list", "events"))
    yield binding("etl-operator", "ClusterRole/etl-operator", "etl/app")
    yield role("role-lifter", rule("bind,escalate,impersonate", "clusterroles,users,groups", groups="*"))
    yield binding("role-lifter", "ClusterRole/role-lifter", "User/lead@meadowbrook.example")
    yield role("token-maker", rule("create", "serviceaccounts/token"), rule("get", "nodes/proxy"))
    yield binding("token-maker", "ClusterRole/token-maker", "monitoring/app")
    yield role("csr-approver", rule("update", "certificatesigningrequests/approval", groups="certificates.k8s.io"))
    yield binding("csr-approver", "ClusterRole/csr-approver", "Group/meadowbrook:helpdesk")
    webhook_kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations"
    yield role("webhook-editor", rule("create,update,patch", webhook_kinds, groups="admissionregistration.k8s.io"))
    yield binding("webhook-editor", "ClusterRole/webhook-editor", "policy/app")
    yield role("volume-maker", rule("create", "persistentvolumes"))  # bound to nobody
    metrics = {"nonResourceURLs": ["/metrics", "/logs/*"], "verbs": ["get"]}
    yield role("metrics-reader", metrics)
    yield binding("metrics-reader", "ClusterRole/metrics-reader", "monitoring/app")


def _within_namespaces() -> Iterator[Document]:
    # A RoleBinding to cluster-admin rules one namespace only, and all of that.
    yield binding("runner-rules", "ClusterRole/cluster-admin", "ci-runners/runner", place="ci-runners")
    yield binding("default-edits", "ClusterRole/edit", "sandbox/default", place="sandbox")
    yield binding("intake-admins", "ClusterRole/admin", "Group/meadowbrook:intake", place="intake")
    yield role("one-secret", rule("get", "secrets", names=["records-db"]), place="records")
    yield binding("one-secret", "Role/one-secret", "records/app", place="records")
    yield role("all-secrets", rule(_READ, "secrets"), place="billing")
    yield binding("all-secrets", "Role/all-secrets", "billing/app", "User/clerk@meadowbrook.example", place="billing")
    # Called secrets too, and another group's: no secret of the cluster is meant.
    yield role("vault-secrets", rule(_READ, "secrets", groups="vault.meadowbrook.example"), place="intake")
    yield binding("vault-secrets", "Role/vault-secrets", "intake/app", place="intake")
    # Whoever has any token at all: accounts of every namespace, and ours.
    yield role("settings", rule("get,list", "configmaps"), place="sandbox")
    yield binding("settings", "Role/settings", "Group/system:authenticated", place="sandbox")
    yield role("shell-in", rule("create", "pods/exec,pods/attach"), rule("get,list", "pods"), place="telehealth")
    yield binding("shell-in", "Role/shell-in", "Group/meadowbrook:developers", place="telehealth")
    yield role("pod-maker", rule("create", "pods"), place="etl")
    yield binding("pod-maker", "Role/pod-maker", "Group/meadowbrook:analysts", place="etl")
    # A role that lies in a namespace and is bound there from another one's account.
    yield role("read-pods", rule(_READ, "pods"), place="imaging")
    yield binding("read-pods", "Role/read-pods", "monitoring/app", place="imaging")
    yield role("ingress-reader", rule(_READ, "ingresses", groups="networking.k8s.io"), place="ingress-nginx")
    yield binding("ingress-reader", "Role/ingress-reader", "ingress-nginx/ingress-nginx", place="ingress-nginx")
