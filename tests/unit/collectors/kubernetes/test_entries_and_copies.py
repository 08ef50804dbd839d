"""What comes in and what is kept: TLS of entries, load balancers, certificates, copies of volumes, gatekeepers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from auditor.collectors.kubernetes.admission import mutating_webhooks, policy_binding, validating_webhooks
from auditor.collectors.kubernetes.backups import backup, schedule, snapshot
from auditor.collectors.kubernetes.certificates_in_use import secret_certificate
from auditor.collectors.kubernetes.certmanager import certificate
from auditor.collectors.kubernetes.claim_copies import CopiedClaim, copied_claim
from auditor.collectors.kubernetes.core_configuration import secret
from auditor.collectors.kubernetes.core_services import Service, service
from auditor.collectors.kubernetes.core_volumes import claim
from auditor.collectors.kubernetes.entries import EntryTls, gateway_tls, ingress_tls
from auditor.collectors.kubernetes.gatekeeping import admission_webhook, gatekeepers
from auditor.collectors.kubernetes.gateway import gateway
from auditor.collectors.kubernetes.networking import ingress
from auditor.collectors.kubernetes.storage import storage_class
from auditor.domain.reading import Seen, Unseen
from tests.fixtures.cluster_documents import described, documents, manifest

YES, NO = Seen(value=True), Seen(value=False)


def an_ingress(*hosts: str, tls: Any = (), annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    rules: list[dict[str, Any]] = [{"host": host} if host else {"http": {}} for host in hosts]
    item = manifest("web", "shop", spec={"rules": rules, "tls": list(tls), **spec})
    item["metadata"]["annotations"] = annotations or {}
    return item


def entry(item: dict[str, Any], *secrets: str, **more: Any) -> EntryTls:
    world = {ingress: [item], secret: [manifest(name, "shop") for name in secrets]}
    document: EntryTls = documents(ingress_tls, world, **more)["shop/Ingress/web"]
    return document


def test_every_host_of_an_ingress_needs_a_certificate() -> None:
    tls = [{"hosts": ["a.example.com"], "secretName": "a"}]
    assert entry(an_ingress("a.example.com", "b.example.com", tls=tls), "a").uncovered == ("b.example.com",)
    assert entry(an_ingress("A.example.com", tls=tls), "a").uncovered == ()


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("a.example.com", True),
        ("a.b.example.com", False),
        ("example.com", False),
        ("*.example.com", True),
        ("*.b.example.com", False),
        ("", False),
    ],
)
def test_a_star_stands_for_one_label(host: str, covered: bool) -> None:
    found = entry(an_ingress(host, tls=[{"hosts": ["*.example.com"], "secretName": "a"}]), "a")
    assert (found.uncovered == ()) is covered


def test_an_ingress_without_rules_answers_for_every_host() -> None:
    backend = {"service": {"name": "web"}}
    assert entry(an_ingress(defaultBackend=backend)).uncovered == ("every host",)
    assert entry(an_ingress(defaultBackend=backend, tls=[{"secretName": "a"}]), "a").uncovered == ()


def test_a_secret_that_is_gone_is_missing_and_one_that_was_not_listed_is_unseen() -> None:
    item = an_ingress("a.example.com", tls=[{"hosts": ["a.example.com"], "secretName": "a"}])
    assert entry(item).missing == Seen(("a",))
    assert entry(item, "a").missing == Seen(())
    assert isinstance(entry(item, denied=[secret]).missing, Unseen)
    assert entry(an_ingress("a.example.com", tls=[{"hosts": ["a.example.com"]}]), denied=[secret]).missing == Seen(())


def test_a_controller_may_take_its_certificate_from_elsewhere() -> None:
    listens = {"alb.ingress.kubernetes.io/listen-ports": '[{"HTTP": 80}, {"HTTPS": 443}]'}
    clear = {"alb.ingress.kubernetes.io/listen-ports": '[{"HTTP": 80}]'}
    assert entry(an_ingress("a.example.com", annotations=listens)).certificate_elsewhere
    assert not entry(an_ingress("a.example.com", annotations=clear)).certificate_elsewhere
    assert not entry(an_ingress("a.example.com", annotations=dict.fromkeys(clear, "none"))).certificate_elsewhere


def test_a_gateway_may_answer_in_clear_for_hosts_that_it_also_serves_under_tls() -> None:
    def listener(protocol: str, hostname: str, **tls: Any) -> dict[str, Any]:
        return {"name": hostname, "port": 1, "protocol": protocol, "hostname": hostname, **tls}

    sealed = {"tls": {"certificateRefs": [{"name": "a"}, {"name": "b", "namespace": "certs"}]}}
    listeners = [
        listener("HTTPS", "*.example.com", **sealed),
        listener("HTTP", "a.example.com"),
        listener("HTTP", "a.example.org"),
    ]
    world = {
        gateway: [manifest("g", "shop", spec={"listeners": listeners})],
        secret: [manifest("a", "shop"), manifest("b", "certs")],
    }
    found = documents(gateway_tls, world)["shop/Gateway/g"]
    assert (found.uncovered, found.missing) == (("a.example.org",), Seen(()))


def a_service(*ranges: str, annotations: dict[str, str] | None = None) -> Service:
    item = manifest("web", "shop", spec={"type": "LoadBalancer", "loadBalancerSourceRanges": list(ranges)})
    item["metadata"]["annotations"] = annotations or {}
    document: Service = described(service, item)
    return document


def test_ranges_that_add_up_to_the_world_keep_nobody_out() -> None:
    assert a_service().open_to_world == YES
    assert a_service("0.0.0.0/1", "128.0.0.0/1").open_to_world == YES
    assert a_service("198.51.100.0/24").open_to_world == NO
    assert isinstance(a_service("here").open_to_world, Unseen)
    noted = {"service.beta.kubernetes.io/load-balancer-source-ranges": "10.0.0.0/8, 198.51.100.0/24"}
    assert a_service(annotations=noted).open_to_world == NO


@pytest.mark.parametrize(
    ("name", "value", "internal"),
    [
        ("service.beta.kubernetes.io/aws-load-balancer-scheme", "internal", True),
        ("service.beta.kubernetes.io/aws-load-balancer-scheme", "internet-facing", False),
        ("service.beta.kubernetes.io/aws-load-balancer-internal", "true", True),
        ("service.beta.kubernetes.io/aws-load-balancer-type", "external", False),
        ("cloud.google.com/load-balancer-type", "Internal", True),
        ("networking.gke.io/load-balancer-type", "Internal", True),
        ("service.beta.kubernetes.io/azure-load-balancer-internal", "true", True),
        ("service.beta.kubernetes.io/azure-load-balancer-internal", "false", False),
    ],
)
def test_each_cloud_has_its_own_word_for_internal(name: str, value: str, internal: bool) -> None:
    assert a_service(annotations={name: value}).internal is internal


def test_a_storage_class_encrypts_if_it_says_so() -> None:
    said = manifest("gp3", provisioner="ebs.csi.aws.com", parameters={"encrypted": "true"})
    assert described(storage_class, said).encrypts
    assert not described(storage_class, manifest("gp3", provisioner="ebs.csi.aws.com")).encrypts


def test_a_certificate_ends_when_cert_manager_says_and_is_unseen_otherwise() -> None:
    tls = [{"hosts": ["a"], "secretName": "kept"}, {"hosts": ["b"], "secretName": "own"}]
    kept = manifest("c", "shop", spec={"secretName": "kept"}, status={"notAfter": "2026-03-01T00:00:00Z"})
    young = manifest("d", "shop", spec={"secretName": "young"})
    found = documents(secret_certificate, {ingress: [an_ingress("a", tls=tls)], certificate: [kept, young]})
    assert set(found) == {"shop/Secret/kept", "shop/Secret/own", "shop/Secret/young"}
    assert found["shop/Secret/kept"].not_after == Seen(datetime(2026, 3, 1, tzinfo=UTC))
    assert isinstance(found["shop/Secret/own"].not_after, Unseen)
    assert isinstance(found["shop/Secret/young"].not_after, Unseen)


def a_claim(**world: Any) -> CopiedClaim:
    item = manifest("data", "shop", {"backup": "daily"}, spec={}, status={"phase": "Bound"})
    kinds = {"snapshots": snapshot, "backups": backup, "schedules": schedule}
    given = {claim: [item], **{kinds[name]: objects for name, objects in world.items() if name in kinds}}
    document: CopiedClaim = documents(copied_claim, given, denied=world.get("denied", ()))[
        "shop/PersistentVolumeClaim/data"
    ]
    return document


def a_snapshot(at: str, *, ready: bool = True, of: str = "data") -> dict[str, Any]:
    status = {"readyToUse": ready, "creationTime": at}
    return manifest(f"s{at}", "shop", spec={"source": {"persistentVolumeClaimName": of}}, status=status)


def a_backup(at: str, phase: str = "Completed", **spec: Any) -> dict[str, Any]:
    return manifest(f"b{at}", "velero", spec=spec, status={"phase": phase, "completionTimestamp": at})


def test_the_last_copy_is_a_ready_snapshot_or_a_completed_backup_of_the_namespace() -> None:
    early, late = "2025-12-01T00:00:00Z", "2025-12-02T00:00:00Z"
    first, second = Seen(datetime(2025, 12, 1, tzinfo=UTC)), Seen(datetime(2025, 12, 2, tzinfo=UTC))
    assert a_claim(snapshots=[a_snapshot(early), a_snapshot(late, ready=False)]).copied_at == first
    assert a_claim(snapshots=[a_snapshot(early)], backups=[a_backup(late)]).copied_at == second
    assert a_claim(snapshots=[a_snapshot(late, of="other")]).copied_at == Seen(None)
    failed = [a_backup(late, "PartiallyFailed"), a_backup(early, includedNamespaces=["shop"])]
    assert a_claim(backups=failed).copied_at == first
    assert a_claim(backups=[a_backup(late, excludedNamespaces=["shop"])]).copied_at == Seen(None)


def test_a_cluster_that_shows_no_copies_of_any_kind_tells_nothing() -> None:
    assert isinstance(a_claim().copied_at, Unseen)
    assert isinstance(a_claim(snapshots=[a_snapshot("2025-12-01T00:00:00Z")], denied=[backup]).copied_at, Unseen)
    assert a_claim(schedules=[manifest("nightly", "velero", spec={})]).copied_at == Seen(None)


def hooks(name: str, policy: str | None = None, service: str = "rules") -> dict[str, Any]:
    one: dict[str, Any] = {
        "name": f"{name}.example.com",
        "clientConfig": {"service": {"namespace": "sys", "name": service}},
    }
    return manifest(name, webhooks=[{**one, **({"failurePolicy": policy} if policy else {})}])


def test_a_webhook_that_says_nothing_fails_closed() -> None:
    world = {validating_webhooks: [hooks("a"), hooks("b", "Ignore")], mutating_webhooks: [hooks("c", "Ignore")]}
    found = documents(admission_webhook, world)
    assert found["/ValidatingWebhookConfiguration/a"].failing_open == ()
    assert found["/ValidatingWebhookConfiguration/b"].failing_open == ("b.example.com",)
    assert found["/MutatingWebhookConfiguration/c"].mutating


def test_an_engine_or_a_binding_that_denies_enforces() -> None:
    def enforcing(world: Any, **more: Any) -> Any:
        (document,) = documents(gatekeepers, world, **more).values()
        return document.enforcing

    warns = manifest("w", spec={"policyName": "p", "validationActions": ["Warn"]})
    denies = manifest("d", spec={"policyName": "p", "validationActions": ["Deny", "Audit"]})
    assert enforcing({validating_webhooks: [hooks("a", service="kyverno-svc")]}) == Seen(("Kyverno",))
    assert enforcing({policy_binding: [warns]}) == Seen(())
    assert enforcing({policy_binding: [denies]}) == Seen(("ValidatingAdmissionPolicyBinding d",))
    assert isinstance(enforcing({}, denied=[policy_binding]), Unseen)
    assert enforcing({policy_binding: [denies]}, denied=[validating_webhooks]) == Seen(
        ("ValidatingAdmissionPolicyBinding d",)
    )
