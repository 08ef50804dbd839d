"""A loaded library as plain JSON, and back: what the loader has found right needs no second proof of the same bytes.

Conditions are compiled anew from their text by the same compiler, each when it first judges; only their holding against
documents is not repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any

from auditor.domain.control import Check, Control, Duty, Example, Library, Mapped
from auditor.domain.framework import Framework, Requirement
from auditor.proof.judge import CompiledCheck, compile_check

Plain = dict[str, Any]


def plain(library: Library) -> Plain:
    """The library as JSON values."""
    return {
        "frameworks": [
            _told(framework, requirements=[_told(one) for one in framework.requirements])
            for framework in library.frameworks
        ],
        "controls": [
            _told(
                control,
                checks=[_check_told(check) for check in control.checks],
                duties=[_told(duty) for duty in control.duties],
            )
            for control in library.controls
        ],
    }


def from_plain(told: Mapping[str, Any]) -> Library:
    """The library that ``plain`` was given, with its checks compiled."""
    return Library(
        tuple(
            Framework(**{**one, "requirements": tuple(Requirement(**each) for each in one["requirements"])})
            for one in told["frameworks"]
        ),
        tuple(_control(one) for one in told["controls"]),
    )


def _told(value: Any, **instead: Any) -> Plain:
    """A value's fields by name, some of them replaced."""
    return {field.name: instead.get(field.name, getattr(value, field.name)) for field in fields(value)}


def _check_told(check: Check) -> Plain:
    told = _told(
        check,
        mapped=[_told(part) for part in check.mapped],
        examples=[_told(example) for example in check.examples],
        fresh_for=check.fresh_for.total_seconds(),
    )
    return told | {"compiled": check.judged_digest}


def _control(told: Plain) -> Control:
    return Control(
        **{
            **told,
            "requirements": _clauses(told["requirements"]),
            "checks": tuple(_check(one) for one in told["checks"]),
            "duties": tuple(Duty(**{**one, "requirements": _clauses(one["requirements"])}) for one in told["duties"]),
        }
    )


def _check(told: Plain) -> Check:
    return Check(
        **{
            **told,
            "mapped": tuple(Mapped(**part) for part in told["mapped"]),
            "examples": tuple(Example(**example) for example in told["examples"]),
            "fresh_for": timedelta(seconds=told["fresh_for"]),
            "compiled": _Later(told["definition"], told["compiled"]),
        }
    )


def _clauses(named: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {framework: tuple(clauses) for framework, clauses in named.items()}


class _Later(CompiledCheck):
    """A check that compiles its conditions when it first judges: most commands judge few of them or none."""

    def __init__(self, definition: Mapping[str, Any], judged_digest: str) -> None:
        vars(self).update(
            id=definition["id"],
            resource_type=definition["resource"],
            document_version=definition["document_version"],
            fail=definition["fail"],
            params=definition["params"],
            judged_digest=judged_digest,
            _definition=definition,
        )

    def __getattr__(self, name: str) -> Any:
        """Asked only for what is not there yet: both conditions come at once, and stay."""
        if name not in {"applies_when", "pass_when"}:
            raise AttributeError(name)
        compiled = compile_check(self._definition)
        vars(self).update(applies_when=compiled.applies_when, pass_when=compiled.pass_when)
        return vars(self)[name]
