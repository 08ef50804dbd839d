"""Calico's network policies, as alternatives to those of the API."""

from __future__ import annotations

from auditor.collectors.kubernetes._other_policies import other_policy

policy = other_policy(
    "kubernetes.calico_network_policy",
    "Calico network policy",
    "crd.projectcalico.org/v1:networkpolicies",
    "CalicoNetworkPolicy",
    namespaced=True,
)
global_policy = other_policy(
    "kubernetes.calico_global_network_policy",
    "Calico global network policy",
    "crd.projectcalico.org/v1:globalnetworkpolicies",
    "CalicoGlobalNetworkPolicy",
    namespaced=False,
)
