"""Read every definition and hold them against each other, refusing by file and line what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from auditor.domain.control import FRESH_FOR, Check, Control, Duty, Example, Library, Mapped
from auditor.domain.document import shape_of
from auditor.domain.errors import DefinitionError
from auditor.domain.framework import Framework, Requirement
from auditor.domain.resource_type import AnyType
from auditor.proof.expression import ExpressionError
from auditor.proof.judge import check_template, compile_check, published_digest
from controls.files import CheckFile, ControlFile, DutyEntry, FrameworkFile, Sourced, read


def load_folder(resource_types: Iterable[AnyType], folder: Path) -> Library:
    """Every definition below the folder, checked against these resource types and against each other.

    Raises:
        DefinitionError: The first thing that does not fit, by file and line.
    """
    types = {kind.name: kind for kind in resource_types}
    frameworks = tuple(_framework(path) for path in sorted((folder / "frameworks").glob("*.yaml")))
    clauses = {framework.id: framework.by_id for framework in frameworks}
    seen: dict[str, str] = {}
    controls = tuple(
        _control(path, folder, clauses, types, seen)
        for path in sorted(folder.glob("*/*.yaml"))
        if path.parent.name != "frameworks"
    )
    library = Library(frameworks, controls)
    _every_requirement_is_answered(library, folder)
    return library


def _framework(path: Path) -> Framework:
    file = read(path, FrameworkFile)
    told = file.value
    requirements = tuple(Requirement(framework=told.id, **entry.model_dump()) for entry in told.requirements)
    ids = {requirement.id for requirement in requirements}
    for position, requirement in enumerate(requirements):
        where = ("requirements", position)
        if [other.id for other in requirements].index(requirement.id) != position:
            raise file.error(f"requirement {requirement.id} stands here twice", (*where, "id"))
        if requirement.parent is not None and requirement.parent not in ids:
            raise file.error(f"parent {requirement.parent} is no requirement of {told.id}", (*where, "parent"))
    return Framework(told.id, told.name, told.source, told.version, requirements)


def _control(
    path: Path,
    folder: Path,
    clauses: Mapping[str, Mapping[str, Requirement]],
    types: Mapping[str, AnyType],
    seen: dict[str, str],
) -> Control:
    file = read(path, ControlFile)
    told = file.value
    if path.stem != told.id:
        raise file.error(f"the file is called {path.stem}, the control {told.id}", ("id",))
    _claims(file, told.requirements, clauses, ("requirements",))
    parts: tuple[tuple[str, Sequence[CheckFile | DutyEntry]], ...] = (("checks", told.checks), ("duties", told.duties))
    for kind, entries in parts:
        for position, entry in enumerate(entries):
            if entry.id in seen:
                raise file.error(f"{entry.id} stands in {seen[entry.id]} already", (kind, position, "id"))
            seen[entry.id] = path.name
            for framework, named in entry.requirements.items():
                beyond = set(named) - set(told.requirements.get(framework, ()))
                if beyond:
                    where = (kind, position, "requirements", framework)
                    raise file.error(
                        f"{entry.id} names {', '.join(sorted(beyond))}, which the control does not claim", where
                    )
    return Control(
        id=told.id,
        title=told.title,
        family=path.parent.name,
        owner=told.owner,
        cadence=told.cadence,
        statement=told.statement.strip(),
        why_it_matters=told.why_it_matters.strip(),
        requirements=told.requirements,
        checks=tuple(_check(file, position, entry, types) for position, entry in enumerate(told.checks)),
        duties=tuple(
            Duty(
                id=duty.id,
                control=told.id,
                title=duty.title,
                cadence=duty.cadence,
                owner=duty.owner,
                evidence_expected=duty.evidence_expected,
                max_age_days=duty.max_age_days,
                requirements=duty.requirements,
            )
            for duty in told.duties
        ),
        file=path.relative_to(folder).as_posix(),
    )


def _check(file: Sourced[ControlFile], position: int, told: CheckFile, types: Mapping[str, AnyType]) -> Check:
    where: tuple[str | int, ...] = ("checks", position)
    kind = types.get(told.resource)
    if kind is None:
        raise file.error(f"no resource type is called {told.resource}", (*where, "resource"))
    if not told.requirements:
        raise file.error(f"{told.id} serves no requirement", (*where, "requirements"))
    shape = shape_of(kind.document_type)
    definition = told.definition(kind.version)
    for field in ("applies_when", "pass_when"):
        if definition.get(field) is not None:
            _refuse_by_field(file, (*where, field), partial(compile_check, _only(definition, field), shape=shape))
    _refuse_by_field(file, (*where, "fail"), partial(check_template, told.fail, shape, told.params))
    return Check(
        id=told.id,
        control=file.value.id,
        title=told.title,
        resource=told.resource,
        severity=told.severity,
        tier=told.tier,
        mapped=tuple(
            Mapped(framework, requirement, part.strength, part.why)
            for framework, parts in told.requirements.items()
            for requirement, part in parts.items()
        ),
        remediation={str(way): line for way, line in told.remediation.items()},
        compiled=compile_check(definition, shape=shape),
        definition=definition,
        published_digest=published_digest(definition),
        examples=tuple(
            Example(
                example.given,
                example.expect,
                {**told.params, **example.params},
                example.as_of,
                file.line((*where, "examples", number)),
            )
            for number, example in enumerate(told.examples)
        ),
        fresh_for=FRESH_FOR.get(file.value.cadence, FRESH_FOR["daily"]),
    )


def _only(definition: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    return {**definition, "applies_when": None, "pass_when": definition[field], "fail": ""}


def _refuse_by_field(file: Sourced[Any], where: tuple[str | int, ...], attempt: Callable[[], object]) -> None:
    try:
        attempt()
    except ExpressionError as error:
        raise file.error(str(error), where) from error


def _claims(
    file: Sourced[Any],
    claimed: Mapping[str, Iterable[str]],
    clauses: Mapping[str, Mapping[str, Requirement]],
    where: tuple[str | int, ...],
) -> None:
    for framework, named in claimed.items():
        if framework not in clauses:
            raise file.error(f"no framework is called {framework}", (*where, framework))
        for position, requirement in enumerate(named):
            if requirement not in clauses[framework]:
                raise file.error(f"{framework} has no requirement {requirement}", (*where, framework, position))


def _every_requirement_is_answered(library: Library, folder: Path) -> None:
    served = {
        (name, clause)
        for control in library.controls
        for name in control.requirements
        for clause in control.requirements[name]
    }
    for framework in library.frameworks:
        for requirement in framework.requirements:
            answered = (framework.id, requirement.id) in served or requirement.answered_by
            if not answered and not framework.children(requirement.id):
                raise DefinitionError(
                    f"no control serves {requirement.id} and answered_by does not say how it is answered instead",
                    file=(folder / "frameworks" / f"{framework.id}.yaml").as_posix(),
                )
