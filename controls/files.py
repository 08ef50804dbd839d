"""YAML files as strict models that remember their lines, so that a refusal can point at one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from auditor.domain.control import Severity, Strength, Tier
from auditor.domain.errors import DefinitionError
from auditor.domain.framework import Testable

M = TypeVar("M", bound=BaseModel)
Where = tuple[str | int, ...]
Line = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
ControlId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
CheckId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+){1,3}$")]
Cadence = Literal["continuous", "daily", "weekly", "monthly", "quarterly", "annual", "event"]
Rhythm = Literal[
    "monthly",
    "quarterly",
    "annual",
    "sampled",
    "per event",
    "annual and per event",
    "on hire",
    "on hire and annual",
    "on leaving",
]
"""When a duty falls due: by the calendar, by an event, or both."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RequirementEntry(_Strict):
    """One clause in a framework file."""

    id: Line
    title: Line
    description: Line
    kind: Line
    obligation: Line
    testable: Testable
    family: Line
    parent: Line | None = None
    answered_by: Line | None = None


class FrameworkFile(_Strict):
    """``controls/frameworks/<id>.yaml``."""

    id: Line
    name: Line
    source: Line
    version: Line
    requirements: list[RequirementEntry]


class PartEntry(_Strict):
    """A check's part in one requirement."""

    strength: Strength
    why: Line


class ExampleEntry(_Strict):
    """A document with the verdict it must get."""

    given: dict[str, Any]
    expect: Literal["pass", "fail", "not_applicable", "unknown"]
    params: dict[str, Any] = {}
    as_of: Line = "2026-01-01T00:00:00Z"


class CheckFile(_Strict):
    """A check inside its control's file."""

    id: CheckId
    title: Line
    resource: Line
    severity: Severity
    tier: Tier = "core"
    requirements: dict[str, dict[str, PartEntry]]
    params: dict[str, Any] = {}
    applies_when: Line | None = None
    pass_when: Line
    fail: Line
    remediation: dict[Literal["cli", "terraform", "console", "cloudformation", "manifest"], Line]
    examples: list[ExampleEntry] = Field(min_length=3)

    def definition(self, document_version: int) -> dict[str, Any]:
        """The whole definition as plain JSON: what both digests are taken over."""
        told = self.model_dump(mode="json", exclude={"examples"})
        return {**told, "document_version": document_version}


class DutyEntry(_Strict):
    """What people must do, inside its control's file."""

    id: CheckId
    title: Line
    cadence: Rhythm
    owner: Line
    evidence_expected: Line
    max_age_days: int | None
    requirements: dict[str, tuple[Line, ...]]


class ControlFile(_Strict):
    """``controls/<family>/<control>.yaml``."""

    id: ControlId
    title: Line
    owner: Line
    cadence: Cadence
    statement: Line
    why_it_matters: Line
    requirements: dict[str, tuple[Line, ...]]
    checks: list[CheckFile] = []
    duties: list[DutyEntry] = []


@dataclass(frozen=True)
class Sourced(Generic[M]):
    """A parsed file that knows where each of its parts stands."""

    path: Path
    value: M
    lines: Mapping[Where, int]

    def line(self, where: Where) -> int:
        """The line of a part; of the nearest part around it where the part itself has none."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)

    def error(self, message: str, where: Where) -> DefinitionError:
        """A refusal that points at this part."""
        return DefinitionError(message, file=str(self.path), line=self.line(where))


def read(path: Path, model: type[M]) -> Sourced[M]:
    """The file as its model.

    Raises:
        DefinitionError: No YAML, a key that stands twice, or a shape that the model refuses.
    """
    lines: dict[Where, int] = {}
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        told = _value(node, (), lines, path)
        return Sourced(path, model.model_validate(told), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise DefinitionError(
            error.problem or "not YAML", file=str(path), line=None if mark is None else mark.line + 1
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = tuple(first["loc"])
        at = Sourced(path, error, lines)  # type: ignore[type-var]  # only its lines are asked
        raise DefinitionError(
            f"{'.'.join(map(str, where))}: {first['msg'].lower()}", file=str(path), line=at.line(where)
        ) from error


_SCALARS = yaml.CSafeLoader("")


def _value(node: yaml.Node | None, where: Where, lines: dict[Where, int], path: Path) -> Any:
    if node is None:
        return None
    lines[where] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        told: dict[Any, Any] = {}
        for key, member in node.value:
            name = _SCALARS.construct_object(key)
            if name in told:
                raise DefinitionError(f"{name} stands here twice", file=str(path), line=key.start_mark.line + 1)
            told[name] = _value(member, (*where, name), lines, path)
            lines[*where, name] = key.start_mark.line + 1
        return told
    if isinstance(node, yaml.SequenceNode):
        return [_value(member, (*where, position), lines, path) for position, member in enumerate(node.value)]
    value = _SCALARS.construct_object(node)
    return node.value if isinstance(value, date) else value  # times stay the text that documents hold
