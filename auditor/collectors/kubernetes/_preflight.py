"""What an account may ask of a cluster: one access review per verb and resource that a run would use, and nothing listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, as_completed
from typing import Any

from auditor.collectors.kubernetes._client import ClusterCaller
from auditor.collectors.kubernetes._listing import NAMESPACES
from auditor.collectors.kubernetes._requests import NAMED_SECRETS, READ_SECRET, VERSION, action_of, parts
from auditor.domain.ports import CallFailed
from auditor.domain.preflight import Tried
from auditor.domain.resource_type import ResourceType
from auditor.domain.source import CLUSTER

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
ACTION = "create selfsubjectaccessreviews.authorization.k8s.io"
_NAMED = frozenset({NAMED_SECRETS, READ_SECRET})


def review(
    kinds: Iterable[ResourceType],
    caller: ClusterCaller,
    *,
    pool: Executor,
    namespaces: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> tuple[Tried, ...]:
    """Each action that these types need, reviewed in the whole cluster; sorted by action. Never raises for a refusal.

    Where only some namespaces are in scope, what is denied in the whole is reviewed in each of these, as a run would list it.
    What belongs to a group that the cluster does not serve is ``unsupported``: whoever lists it is told so, allowed or not.
    """
    served = _groups(caller)
    operations = {
        one: tuple(namespaces) if NAMESPACES in read.params else ()
        for kind in kinds
        for read in kind.reads
        for one in read.operations
    }
    asked = [pool.submit(_reviewed, caller, one, operations[one], served) for one in sorted(operations.keys() - _NAMED)]
    if READ_SECRET in operations:
        asked += [pool.submit(_secret, caller, one) for one in caller.certificates]
    for done, _ in enumerate(as_completed(asked), start=1):
        progress(done, len(asked))
    return tuple(sorted((tried for one in asked for tried in one.result()), key=lambda one: one.action))


def _reviewed(
    caller: ClusterCaller, operation: str, namespaces: Sequence[str], served: frozenset[str] | None
) -> list[Tried]:
    whole = _review(caller, operation, "", served)
    if whole.answer != "denied" or not namespaces:
        return [whole]
    return [_review(caller, operation, one, served) for one in namespaces]


def _groups(caller: ClusterCaller) -> frozenset[str] | None:
    try:
        told = caller.ask("/apis", action="get /apis")
    except CallFailed:
        return None
    return frozenset({"", *(str(one["name"]) for one in told.get("groups") or ())})


def _review(caller: ClusterCaller, operation: str, namespace: str, served: frozenset[str] | None) -> Tried:
    action = action_of(operation, namespace)
    if operation == VERSION:
        return _asked(caller, action, {"nonResourceAttributes": {"path": "/version", "verb": "get"}})
    group, version, plural = parts(operation)
    if served is not None and group not in served:
        return Tried(action, CLUSTER, "unsupported", detail=f"the cluster has no {group}")
    about = {"group": group, "version": version, "resource": plural, "verb": "list"}
    return _asked(caller, action, {"resourceAttributes": about | ({"namespace": namespace} if namespace else {})})


def _secret(caller: ClusterCaller, certificate: str) -> list[Tried]:
    namespace, _, name = certificate.partition("/")
    about = {"version": "v1", "resource": "secrets", "verb": "get", "namespace": namespace, "name": name}
    return [_asked(caller, f"get secrets/{name} in {namespace}", {"resourceAttributes": about})]


def _asked(caller: ClusterCaller, action: str, spec: dict[str, Any]) -> Tried:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
    try:
        status = caller.ask(REVIEWS, action=ACTION, method="POST", body=body).get("status") or {}
    except CallFailed as failure:
        return Tried(action, CLUSTER, "throttled" if failure.kind == "throttled" else "error", detail=failure.code)
    if status.get("allowed"):
        return Tried(action, CLUSTER, "allowed")
    if status.get("evaluationError"):
        return Tried(action, CLUSTER, "error", detail=str(status["evaluationError"])[:300])
    return Tried(action, CLUSTER, "denied", by=str(status.get("reason") or "")[:300])
