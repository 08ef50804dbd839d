"""The loader of definitions: what ships is whole, and what does not fit is refused by file and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.collectors.aws import resource_types
from auditor.domain.errors import DefinitionError
from auditor.proof.canonical import instant
from auditor.proof.judge import judge
from controls import load, shipped

BEYOND = {
    "backup.store.recovery_point_recent",
    "ec2.image.not_shared_outside",
    "ec2.snapshot.not_shared_outside",
    "kms.key.not_shared_outside",
    "rds.cluster_snapshot.encrypted",
    "rds.cluster_snapshot.not_public",
    "sso.assignment.no_direct_user",
    "sso.permission_set.no_admin",
    "sso.permission_set.session_limited",
    "wafv2.cloudfront_web_acl.logged",
}
"""Checks that the catalogue does not have."""
SPLIT = {
    "docdb.cluster.backed_up",
    "docdb.cluster.encrypted",
    "opensearch.domain.encrypted_at_rest",
    "opensearch.domain.encrypted_between_nodes",
    "sagemaker.notebook.encrypted",
    "sagemaker.notebook.private",
}
"""Halves of checks that tested two safeguards at once: three in the catalogue."""

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
    assert set(library.check) >= BEYOND | SPLIT
    assert len(library.checks) - len(BEYOND) - len(SPLIT) // 2 == 187, "every AWS check of the catalogue"


@pytest.mark.parametrize("check", shipped().checks, ids=[check.id for check in shipped().checks])
def test_every_example_gets_its_verdict_and_every_check_has_the_three(check: object) -> None:
    library = shipped()
    told = library.check[check.id]  # type: ignore[attr-defined]
    for example in told.examples:
        said = judge(told.compiled, example.given, as_of=instant(example.as_of or ""), params=example.params)
        assert said.verdict == example.expect, (example.given, said)
    assert {"pass", "fail", "unknown"} <= {example.expect for example in told.examples}


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
