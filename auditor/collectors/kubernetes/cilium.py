"""Cilium's network policies, as alternatives to those of the API."""

from __future__ import annotations

from auditor.collectors.kubernetes._other_policies import other_policy

policy = other_policy(
    "kubernetes.cilium_network_policy",
    "Cilium network policy",
    "cilium.io/v2:ciliumnetworkpolicies",
    "CiliumNetworkPolicy",
    namespaced=True,
)
clusterwide_policy = other_policy(
    "kubernetes.cilium_clusterwide_network_policy",
    "Cilium clusterwide network policy",
    "cilium.io/v2:ciliumclusterwidenetworkpolicies",
    "CiliumClusterwideNetworkPolicy",
    namespaced=False,
)
