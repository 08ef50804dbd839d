"""The loader of definitions: what ships is whole, and what does not fit is refused by file and line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from auditor.collectors.declared import resource_types
from auditor.domain.control import SEVERITIES, Control
from auditor.domain.errors import DefinitionError
from auditor.domain.excuse import reads_tags
from auditor.proof.canonical import instant
from auditor.proof.judge import judge
from controls import load, shipped

BEYOND = {
    "backup.cluster.recovery_point_recent",
    "backup.document_cluster.recovery_point_recent",
    "backup.file_system.recovery_point_recent",
    "backup.instance.recovery_point_recent",
    "backup.table.recovery_point_recent",
    "backup.volume.recovery_point_recent",
    "ec2.image.not_shared_outside",
    "ec2.snapshot.not_shared_outside",
    "kms.key.not_shared_outside",
    "rds.cluster_snapshot.encrypted",
    "rds.cluster_snapshot.not_public",
    "rds.cluster_snapshot.not_shared_outside",
    "rds.snapshot.not_shared_outside",
    "sso.assignment.no_direct_user",
    "sso.permission_set.no_admin",
    "sso.permission_set.session_limited",
    "wafv2.cloudfront_web_acl.logged",
}
"""Checks that the catalogue does not have."""
HALVES = {
    "docdb.cluster.encrypted_and_backed_up": ("docdb.cluster.backed_up", "docdb.cluster.encrypted"),
    "opensearch.domain.encrypted": ("opensearch.domain.encrypted_at_rest", "opensearch.domain.encrypted_between_nodes"),
    "sagemaker.notebook.private_and_encrypted": ("sagemaker.notebook.encrypted", "sagemaker.notebook.private"),
}
"""Checks of the catalogue that tested two safeguards at once."""
SUNK = {
    f"ec2.security_group.{claim}": (f"ec2.security_group.{claim}", f"ec2.idle_security_group.{claim}")
    for claim in (
        "default_closed",
        "no_all_ports_open",
        "no_open_admin_ports",
        "no_open_data_ports",
        "no_open_legacy_ports",
    )
}
"""A group that no interface uses is judged the same, one severity lower: a check has one severity, so there are two."""
BY_KIND = {
    "tagging.resource.data_class_tagged": tuple(
        f"tagging.{kind}.data_class_tagged"
        for kind in ("bucket", "cluster", "file_system", "instance", "table", "volume")
    )
}
"""One verdict per store: a check judges one type of resource, so there is one for each kind of store."""
SPLIT: Mapping[str, tuple[str, ...]] = {**HALVES, **SUNK, **BY_KIND}
CATALOGUE = 187
"""AWS checks of the catalogue, beyond none and split nowhere."""
IN_CLUSTERS = {
    f"k8s.{claim}"
    for claim in (
        "configmap.no_secrets deployment.disruption_budget deployment.replicated pod.capabilities_dropped "
        "pod.cpu_memory_limits_set pod.image_digest_pinned pod.image_registry_allowed pod.image_tag_fixed "
        "pod.liveness_probe_set pod.no_dangerous_capabilities pod.no_host_ipc pod.no_host_network pod.no_host_path "
        "pod.no_host_pid pod.no_host_port pod.no_naked_pods pod.no_privilege_escalation pod.no_runtime_socket "
        "pod.no_secrets_in_env pod.not_in_default_namespace pod.not_privileged pod.read_only_root "
        "pod.readiness_probe_set pod.run_as_non_root pod.seccomp_profile_set service_account.default_unused "
        "service_account.token_not_mounted"
    ).split()
}
"""Checks of the catalogue on workloads, service accounts and ConfigMaps of clusters."""
AROUND_WORKLOADS = {
    f"k8s.{claim}"
    for claim in (
        "admission.policy_engine_present apiserver.anonymous_auth_off apiserver.audit_log_kept apiserver.audit_log_on "
        "apiserver.rbac_authorization apiserver.secrets_encrypted apiserver.tls_modern certificate.not_expiring "
        "etcd.tls_client_auth ingress.no_snippet_annotations ingress.tls_enabled kubelet.anonymous_auth_off "
        "namespace.default_deny_egress namespace.default_deny_ingress namespace.pod_security_enforced "
        "namespace.quota_set node.ready node.version_supported pod.network_policy_covered "
        "rbac.cluster_admin_limited rbac.no_anonymous_bindings rbac.no_escalation_verbs rbac.no_stale_subjects "
        "rbac.no_wildcards rbac.node_proxy_limited rbac.pod_creation_limited rbac.secret_access_limited "
        "rbac.token_creation_limited rbac.webhook_config_limited service.load_balancer_restricted "
        "service.no_external_ips service.not_node_port volume.encrypted_storage_class volume.snapshot_recent "
        "webhook.failure_policy_fail"
    ).split()
}
"""Checks of the catalogue on everything else in clusters."""
SUNK_IN_CLUSTERS = {"k8s.idle_role.no_wildcards", "k8s.rbac.namespace_admin_limited"}
"""The same claims where they weigh less: a role that nobody holds, administration of one namespace."""
BEYOND_IN_CLUSTERS = {"k8s.gateway.tls_enabled", "k8s.pod.no_grave_host_path"}
"""Checks on clusters that the catalogue does not have."""
BY_A_TAG = {"rds.instance.multi_az", "s3.bucket.replicated", "vpc.subnet.no_auto_public_ip"}
"""Checks that a tag may excuse a resource from; the control's page counts them by tag."""

FRAMEWORK = """\
id: house
name: House rules
source: the landlord
version: "1"
requirements:
  - id: H1
    title: Doors are shut
    description: Shut the doors.
    kind: rule
    obligation: required
    testable: automated
    family: doors
"""
CONTROL = """\
id: volumes-are-encrypted
title: Volumes are encrypted
owner: engineering
cadence: daily
statement: We encrypt volumes.
why_it_matters: Disks get lost.
requirements:
  house: [H1]
checks:
  - id: house.volume.encrypted
    title: Volume is encrypted
    resource: aws.ec2.volume
    severity: high
    requirements:
      house: {H1: {strength: primary, why: a lost disk tells nothing}}
    pass_when: encrypted
    fail: "{name} is not encrypted"
    remediation: {console: Encrypt it}
    examples:
      - {given: {encrypted: true}, expect: pass}
      - {given: {encrypted: false}, expect: fail}
      - {given: {encrypted: {$unseen: denied}}, expect: unknown}
"""

Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    def write(control: str = CONTROL, framework: str = FRAMEWORK) -> Path:
        (tmp_path / "frameworks").mkdir(exist_ok=True)
        (tmp_path / "encryption").mkdir(exist_ok=True)
        (tmp_path / "frameworks" / "house.yaml").write_text(framework)
        (tmp_path / "encryption" / "volumes-are-encrypted.yaml").write_text(control)
        return tmp_path

    return write


def test_what_ships_is_whole() -> None:
    library = shipped()
    assert {name: len(framework.requirements) for name, framework in library.framework.items()} == {
        "hipaa": 86,
        "soc2": 61,
    }
    assert len(library.controls) == 75
    assert sum(len(control.duties) for control in library.controls) == 57
    parts = {part for halves in SPLIT.values() for part in halves}
    assert set(library.check) >= BEYOND | parts
    in_accounts = library.about("aws").checks
    assert len(in_accounts) - len(BEYOND) - (len(parts) - len(SPLIT)) == CATALOGUE
    in_clusters = {check.id for check in library.checks} - {check.id for check in in_accounts}
    assert in_clusters == IN_CLUSTERS | AROUND_WORKLOADS | SUNK_IN_CLUSTERS | BEYOND_IN_CLUSTERS
    assert len(IN_CLUSTERS | AROUND_WORKLOADS) == 62, "every check on clusters of the catalogue"


@pytest.mark.parametrize("check", shipped().checks, ids=[check.id for check in shipped().checks])
def test_every_example_gets_its_verdict_and_every_check_has_the_three(check: object) -> None:
    library = shipped()
    told = library.check[check.id]  # type: ignore[attr-defined]
    for example in told.examples:
        said = judge(told.compiled, example.given, as_of=instant(example.as_of or ""), params=example.params)
        assert said.verdict == example.expect, (example.given, said)
    assert {"pass", "fail", "unknown"} <= {example.expect for example in told.examples}


def test_a_group_that_nothing_uses_sinks_by_one_severity_and_is_judged_the_same() -> None:
    library = shipped()
    for used, idle in SUNK.values():
        first, second = library.check[used], library.check[idle]
        assert SEVERITIES.index(first.severity) - SEVERITIES.index(second.severity) == 1, used
        assert first.definition["pass_when"] == second.definition["pass_when"]
        assert (first.mapped, first.definition["params"]) == (second.mapped, second.definition["params"])


def test_no_tag_excuses_a_resource_from_a_check_that_matters_most() -> None:
    asking = {
        check.id: check.severity for check in shipped().checks if reads_tags(check.definition.get("applies_when"))
    }
    assert set(asking) == BY_A_TAG
    assert set(asking.values()) <= {"low", "medium"}


def test_every_check_that_may_not_apply_has_an_example_of_it() -> None:
    for check in shipped().checks:
        verdicts = {example.expect for example in check.examples}
        assert ("not_applicable" in verdicts) == (check.compiled.applies_when is not None), check.id


def test_every_requirement_has_a_check_a_duty_or_a_stated_reason() -> None:
    library = shipped()
    answered = {(part.framework, part.requirement) for check in library.checks for part in check.mapped}
    for duty in (duty for control in library.controls for duty in control.duties):
        answered |= {(name, clause) for name, clauses in duty.requirements.items() for clause in clauses}
    for framework in library.frameworks:
        for requirement in framework.requirements:
            assert (framework.id, requirement.id) in answered or requirement.answered_by, requirement.id


@pytest.mark.parametrize("control", shipped().controls, ids=[control.id for control in shipped().controls])
def test_a_statement_promises_no_test_that_does_not_run(control: Control) -> None:
    tiers = {check.tier for check in control.checks}
    if "every day" in control.statement:
        assert tiers, "nothing is tested every day here"
    if "extended" in tiers and "core" not in tiers:
        assert "only the extended tier" in control.statement.lower(), "nothing of the core tier runs here"


@pytest.mark.parametrize("control", shipped().controls, ids=[control.id for control in shipped().controls])
def test_one_reason_has_one_strength_within_a_control(control: Control) -> None:
    strengths: dict[tuple[str, str, str], set[str]] = {}
    for check in control.checks:
        for part in check.mapped:
            strengths.setdefault((part.framework, part.requirement, part.why), set()).add(part.strength)
    assert [reason for reason, found in strengths.items() if len(found) > 1] == []


def test_a_folder_of_ones_own_goes_the_same_way(folder: Folder) -> None:
    library = load(resource_types(), folder=folder())
    assert library.check["house.volume.encrypted"].tier == "core"


@pytest.mark.parametrize(
    ("wrong", "right", "said", "line"),
    [
        ("    severity: hgih", "    severity: high", "severity", 13),
        ("    colour: red\n    severity: high", "    severity: high", "colour", 13),
        (
            "    resource: aws.ec2.volumes",
            "    resource: aws.ec2.volume",
            "no resource type is called aws.ec2.volumes",
            12,
        ),
        ("    pass_when: encryptd", "    pass_when: encrypted", "encryptd", 16),
        ("    pass_when: encrypted and", "    pass_when: encrypted", "", 16),
        ('    fail: "{nme} is not encrypted"', '    fail: "{name} is not encrypted"', "nme", 17),
        ("  house: [H2]", "  house: [H1]", "house has no requirement H2", 8),
        ("      house: {H9: {strength", "      house: {H1: {strength", "H9", 15),
        ("cadence: sometimes", "cadence: daily", "cadence", 4),
        ("id: volumes-encrypted", "id: volumes-are-encrypted", "the file is called", 1),
        ("title: A\ntitle: B", "title: Volumes are encrypted", "twice", 3),
    ],
)
def test_what_does_not_fit_is_refused_by_file_and_line(
    folder: Folder, wrong: str, right: str, said: str, line: int
) -> None:
    assert right in CONTROL
    with pytest.raises(DefinitionError) as refused:
        load(resource_types(), folder=folder(CONTROL.replace(right, wrong, 1)))
    assert f"volumes-are-encrypted.yaml:{line}:" in str(refused.value)
    assert said in str(refused.value)


def test_a_requirement_that_nobody_serves_is_refused(folder: Folder) -> None:
    second = FRAMEWORK + FRAMEWORK.partition("requirements:\n")[2].replace("H1", "H2")
    with pytest.raises(DefinitionError, match="no control serves H2"):
        load(resource_types(), folder=folder(framework=second))
    answered = second + "    answered_by: The landlord does it.\n"
    assert load(resource_types(), folder=folder(framework=answered)).framework["house"].by_id["H2"].answered_by


def test_a_mended_text_makes_no_new_judgement_and_a_changed_condition_does(folder: Folder) -> None:
    def digests(control: str) -> tuple[str, str]:
        check = load(resource_types(), folder=folder(control)).check["house.volume.encrypted"]
        return check.judged_digest, check.published_digest

    first = digests(CONTROL)
    reworded = digests(CONTROL.replace("title: Volume is encrypted", "title: The volume is encrypted"))
    stricter = digests(CONTROL.replace("pass_when: encrypted", "pass_when: encrypted and is_set(name)"))
    commented = digests(CONTROL.replace("    severity", "    # as ruled\n    severity"))
    assert reworded[0] == first[0] != stricter[0]
    assert len({first[1], reworded[1], stricter[1]}) == 3
    assert commented == first
