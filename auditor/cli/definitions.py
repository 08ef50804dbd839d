"""``auditor controls`` and ``auditor list``: what is asked, shown, proved by its examples, and checked against itself."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.cli import scan_kubernetes
from auditor.proof.canonical import instant
from auditor.proof.judge import judge

if TYPE_CHECKING:
    from auditor.domain.control import Library

EPILOG = """examples:
  auditor list checks --service s3
  auditor list controls --format json
  auditor controls test
  auditor controls lint --folder ./our-controls
  auditor permissions aws > policy.json
  auditor permissions kubernetes | kubectl apply -f -
"""


def add(commands: Any) -> None:
    """``list``, ``controls`` and ``permissions``."""
    listing = commands.add_parser("list", help="checks, controls, frameworks or resource types", **_RAW)
    listing.add_argument("what", choices=("checks", "controls", "frameworks", "resource-types"))
    listing.add_argument("--service", help="only checks or types of this service")
    listing.add_argument("--format", choices=("table", "json"), default="table")
    listing.set_defaults(run=run_list)
    controls = commands.add_parser("controls", help="prove the definitions", **_RAW)
    verbs = controls.add_subparsers(metavar="VERB", required=True)
    for verb, told, function in (
        ("test", "run every example of every check", run_test),
        ("lint", "load everything strictly and say what could mislead", run_lint),
    ):
        one = verbs.add_parser(verb, help=told, **_RAW)
        one.add_argument("--folder", type=Path, help="definitions of your own (default: those shipped)")
        one.set_defaults(run=function)
    permissions = commands.add_parser("permissions", help="the least rights that collection needs", **_RAW)
    kinds = permissions.add_subparsers(metavar="SOURCE", required=True)
    aws = kinds.add_parser("aws", help="IAM policy as JSON, Terraform or CloudFormation", **_RAW)
    shape = aws.add_mutually_exclusive_group()
    shape.add_argument("--terraform", dest="form", action="store_const", const="terraform", default="json")
    shape.add_argument("--cloudformation", dest="form", action="store_const", const="cloudformation")
    aws.set_defaults(run=run_permissions)
    scan_kubernetes.add_permissions(kinds)


_RAW: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EPILOG}


def _library(folder: Path | None) -> Library:
    from auditor.collectors.declared import resource_types  # noqa: PLC0415  (reads every declaration)
    from controls import load, shipped  # noqa: PLC0415  (reads every file)

    return shipped() if folder is None else load(resource_types(), folder=folder)


def run_list(arguments: argparse.Namespace) -> int:
    """Print the rows of one kind of thing."""
    library = _library(None)
    rows: Iterable[dict[str, Any]]
    if arguments.what == "resource-types":
        rows = _resource_types()
    else:
        rows = {"checks": _checks, "controls": _controls, "frameworks": _frameworks}[arguments.what](library)
    chosen = [row for row in rows if not arguments.service or arguments.service in row["id"].split(".")]
    if arguments.format == "json":
        print(json.dumps(chosen, indent=1, ensure_ascii=False))
        return 0
    for row in chosen:
        print(f"{row['id']:48} {row['note']:20} {row['title']}")
    print(f"{len(chosen)} {arguments.what.replace('-', ' ')}")
    return 0


def _checks(library: Library) -> Iterable[dict[str, Any]]:
    for check in library.checks:
        named = {name: list(check.requirements(name)) for name in library.framework}
        more = {"control": check.control, "resource_type": check.resource, "requirements": named}
        told = {"id": check.id, "title": check.title, "severity": check.severity, "tier": check.tier, **more}
        yield told | {"note": f"{check.severity}, {check.tier}"}


def _controls(library: Library) -> Iterable[dict[str, Any]]:
    for control in library.controls:
        told = {"id": control.id, "title": control.title, "family": control.family, "owner": control.owner}
        counted = {"checks": len(control.checks), "duties": len(control.duties), "cadence": control.cadence}
        yield told | counted | {"note": f"{len(control.checks)} checks, {len(control.duties)} duties"}


def _frameworks(library: Library) -> Iterable[dict[str, Any]]:
    for framework in library.frameworks:
        told = {"id": framework.id, "title": framework.name, "source": framework.source}
        yield told | {"note": f"{len(framework.requirements)} requirements"}


def _resource_types() -> Iterable[dict[str, Any]]:
    from auditor.collectors.declared import resource_types  # noqa: PLC0415  (reads every declaration)

    for kind in resource_types():
        yield {"id": kind.name, "title": kind.title, "note": f"version {kind.version}, {kind.place}"}


def run_test(arguments: argparse.Namespace) -> int:
    """Judge every example; a wrong one is named by file and line."""
    library = _library(arguments.folder)
    wrong = total = 0
    for check in library.checks:
        file = library.control[check.control].file
        for example in check.examples:
            total += 1
            said = judge(check.compiled, example.given, as_of=instant(example.as_of or ""), params=example.params)
            if said.verdict != example.expect:
                wrong += 1
                print(f"{file}:{example.line}: {check.id} gives {said.verdict}, the example expects {example.expect}")
                print(f"    because: {said.because or said.message}")
    print(f"{len(library.checks)} checks, {total} examples, {wrong} wrong")
    return 1 if wrong else 0


def run_lint(arguments: argparse.Namespace) -> int:
    """Loading refuses what is wrong; this says what is missing."""
    library = _library(arguments.folder)
    told = 0
    for check in library.checks:
        missing = {"pass", "fail", "unknown"} - {example.expect for example in check.examples}
        if check.compiled.applies_when is not None:
            missing |= {"not_applicable"} - {example.expect for example in check.examples}
        if missing:
            told += 1
            print(
                f"{library.control[check.control].file}: {check.id} has no example that is {', '.join(sorted(missing))}"
            )
    print(f"{len(library.controls)} controls, {len(library.checks)} checks: {told} remarks")
    return 1 if told else 0


def run_permissions(arguments: argparse.Namespace) -> int:
    """Print the policy in the form asked for."""
    from auditor.collectors.aws._permissions import FORMS, actions  # noqa: PLC0415  (reads service models)

    print(FORMS[arguments.form](actions()))
    return 0
