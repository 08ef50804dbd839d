"""Controllers of long-running pods: deployments, replica sets, stateful sets, daemon sets."""

from __future__ import annotations

from auditor.collectors.kubernetes._controllers import controller_type

deployment = controller_type("kubernetes.deployment", "Deployment", "apps/v1:deployments", "Deployment")
replica_set = controller_type("kubernetes.replica_set", "Replica set", "apps/v1:replicasets", "ReplicaSet")
stateful_set = controller_type("kubernetes.stateful_set", "Stateful set", "apps/v1:statefulsets", "StatefulSet")
daemon_set = controller_type("kubernetes.daemon_set", "Daemon set", "apps/v1:daemonsets", "DaemonSet")
