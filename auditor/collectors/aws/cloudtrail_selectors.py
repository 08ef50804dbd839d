"""What a trail's event selectors record, classic and advanced ones in one form.

Guards the rule that a selector counts only for what it records wholly: one that narrows by event name, by single
objects or in any way not known here records nothing that a check may lean on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

READ, WRITE = "read", "write"
BOTH = frozenset({READ, WRITE})
NOTHING: frozenset[str] = frozenset()
CLASSIC = {"All": BOTH, "ReadOnly": frozenset({READ}), "WriteOnly": frozenset({WRITE})}
ADVANCED: dict[tuple[str, ...], frozenset[str]] = {("true",): frozenset({READ}), ("false",): frozenset({WRITE})}
# Leaving these busy sources out is the vendor's own switch against volume; any other exclusion hides management events.
NOISY_SOURCES = frozenset({"kms.amazonaws.com", "rdsdata.amazonaws.com"})
S3_OBJECT = "AWS::S3::Object"
S3_ROOTS = ("arn:aws:s3:::", "arn:aws-cn:s3:::", "arn:aws-us-gov:s3:::")


@dataclass(frozen=True, slots=True)
class ObjectSelector:
    """Object events that are recorded: everything under one of the ARN prefixes, less what is left out."""

    reads: bool
    writes: bool
    under: tuple[str, ...]
    left_out: tuple[str, ...]


def management_modes(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Which management events are recorded, ``read`` and ``write``, all selectors taken together."""
    modes: set[str] = set()
    for selector in answer.get("EventSelectors") or ():
        if selector.get("IncludeManagementEvents", True):
            modes |= CLASSIC.get(selector.get("ReadWriteType", "All"), NOTHING)
    for fields in _advanced(answer):
        if _equals(fields, "eventCategory") == ("Management",) and _whole_management(fields):
            modes |= _modes(fields)
    return tuple(sorted(modes))


def object_selectors(answer: Mapping[str, Any]) -> tuple[ObjectSelector, ...]:
    """The selectors that record S3 object events, without those that record only some kinds of them."""
    return (*_classic_objects(answer), *_advanced_objects(answer))


def records_below(selector: ObjectSelector, arn: str) -> bool:
    """Whether everything whose ARN begins so is recorded: ``arn:aws:s3:::name/`` for a bucket."""
    return any(arn.startswith(prefix) for prefix in selector.under) and not any(
        prefix.startswith(arn) or arn.startswith(prefix) for prefix in selector.left_out
    )


def records_every_bucket(selector: ObjectSelector) -> bool:
    """Whether no bucket is left out, those still to come included."""
    return not selector.left_out and any(records_below(selector, root) for root in S3_ROOTS)


def _classic_objects(answer: Mapping[str, Any]) -> Iterator[ObjectSelector]:
    for selector in answer.get("EventSelectors") or ():
        modes = CLASSIC.get(selector.get("ReadWriteType", "All"), NOTHING)
        for resource in selector.get("DataResources") or ():
            if resource.get("Type") == S3_OBJECT and modes:
                yield ObjectSelector(READ in modes, WRITE in modes, tuple(resource.get("Values") or ()), ())


def _advanced_objects(answer: Mapping[str, Any]) -> Iterator[ObjectSelector]:
    for fields in _advanced(answer):
        data = _equals(fields, "eventCategory") == ("Data",) and S3_OBJECT in (_equals(fields, "resources.type") or ())
        modes = _modes(fields)
        known = set(fields) <= {"eventCategory", "resources.type", "readOnly", "resources.ARN"}
        place = fields.get("resources.ARN", {})
        # Endings and single objects never make up a whole bucket.
        if data and modes and known and not set(place) & {"Equals", "EndsWith", "NotEndsWith"}:
            yield ObjectSelector(
                READ in modes,
                WRITE in modes,
                tuple(place.get("StartsWith", ("arn:",))),
                (*place.get("NotStartsWith", ()), *place.get("NotEquals", ())),
            )


Fields = Mapping[str, Mapping[str, Sequence[str]]]


def _advanced(answer: Mapping[str, Any]) -> Iterator[Fields]:
    """Each advanced selector as field, operator, values; operators that are not used are left out."""
    for selector in answer.get("AdvancedEventSelectors") or ():
        yield {
            row["Field"]: {
                operator: tuple(values) for operator, values in row.items() if operator != "Field" and values
            }
            for row in selector.get("FieldSelectors") or ()
        }


def _equals(fields: Fields, name: str) -> tuple[str, ...] | None:
    """The values of a field that is compared by equality alone."""
    operators = fields.get(name, {})
    return tuple(operators["Equals"]) if set(operators) == {"Equals"} else None


def _modes(fields: Fields) -> frozenset[str]:
    if "readOnly" not in fields:
        return BOTH
    return ADVANCED.get(_equals(fields, "readOnly") or (), NOTHING)


def _whole_management(fields: Fields) -> bool:
    source = fields.get("eventSource", {})
    quiet = set(source) <= {"NotEquals"} and _all_in(source.get("NotEquals", ()), NOISY_SOURCES)
    return quiet and set(fields) <= {"eventCategory", "readOnly", "eventSource"}


def _all_in(values: Iterable[str], allowed: frozenset[str]) -> bool:
    return set(values) <= allowed
