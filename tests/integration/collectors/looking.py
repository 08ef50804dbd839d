"""Look at an emulated account through some checks: what people get from a scan, as plain dictionaries.

A check is taken from the library; while its definition is still a fragment of its own, from the folder that
``AUDITOR_FRAGMENTS`` names.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import yaml

from auditor.collectors.aws import resource_types
from auditor.collectors.aws._client import AwsCaller, connect
from auditor.domain.control import FRESH_FOR, Check, Mapped
from auditor.domain.document import shape_of
from auditor.domain.resource_type import AnyType, ResourceType
from auditor.domain.source import GLOBAL
from auditor.pipeline.plan import Selection, inputs
from auditor.pipeline.scan import Scan, scan
from auditor.proof.judge import check_template, compile_check, published_digest
from auditor.simulators.aws import AwsEmulator
from controls import shipped
from controls.files import CheckFile

FRAGMENTS = Path(os.environ.get("AUDITOR_FRAGMENTS") or Path(tempfile.gettempdir()) / "frag2")
REGIONS = ("us-east-1",)
Told = dict[str, dict[str, str]]


def look(emulator: AwsEmulator, checks: Iterable[str], regions: Iterable[str] = REGIONS) -> Told:
    """Check id -> resource -> verdict; a place stands as resource where there was nothing to judge."""
    return told(looked(emulator, checks, regions))


def reasons(emulator: AwsEmulator, checks: Iterable[str], regions: Iterable[str] = REGIONS) -> Told:
    """Check id -> resource -> the sentence that the verdict comes with."""
    return told(looked(emulator, checks, regions), "reason")


def looked(
    emulator: AwsEmulator,
    checks: Iterable[str],
    regions: Iterable[str] = REGIONS,
    *,
    as_of: datetime | None = None,
    stub: Callable[[AwsCaller], None] = lambda _: None,
) -> Scan:
    """The whole scan, for whoever asks about coverage or evidence.

    ``as_of`` is the instant of judging. ``stub`` is handed the caller before anything is asked: where the emulator lacks
    an operation it may put a ``botocore.stub.Stubber`` over ``caller._client(service, region)``.
    """
    with _account(emulator):
        caller = connect(endpoint_url=emulator.url)
        stub(caller)
        return scan(
            _selection(tuple(checks)),
            caller,
            (GLOBAL, *regions),
            clock=lambda: as_of or datetime.now(UTC),
            threads=8,
            progress=lambda *_: None,
        )


def check(id: str) -> Check:  # noqa: A002  (the word people use)
    """One check by its id.

    Raises:
        KeyError: Neither a fragment nor the library knows it.
    """
    file = FRAGMENTS / f"{id}.yaml"
    return _compiled(file) if file.exists() else shipped().check[id]


def told(seen: Scan, word: str = "verdict") -> Told:
    """One field of every verdict of a scan, by check and resource."""
    found: Told = {}
    for verdict in seen.verdicts:
        found.setdefault(verdict.check, {})[verdict.resource] = str(getattr(verdict, word))
    return found


def _selection(ids: tuple[str, ...]) -> Selection:
    """As ``pipeline.plan.select`` would, but of these checks."""
    checks = tuple(check(name) for name in ids)
    asked = {each.resource for each in checks}
    judged = tuple(kind for kind in resource_types() if kind.name in asked)
    collected: dict[str, ResourceType] = {}
    for kind in judged:
        for plain in (kind,) if isinstance(kind, ResourceType) else inputs(kind):
            collected[plain.name] = plain
    return Selection(checks, judged, tuple(collected.values()))


def _compiled(file: Path) -> Check:
    (entry,) = yaml.safe_load(file.read_text(encoding="utf-8"))
    told = CheckFile.model_validate(entry)
    types: Mapping[str, AnyType] = {kind.name: kind for kind in resource_types()}
    kind = types[told.resource]
    shape = shape_of(kind.document_type)
    definition = told.definition(kind.version)
    check_template(told.fail, shape, told.params)
    return Check(
        id=told.id,
        control="fragment",
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
        examples=(),
        fresh_for=FRESH_FOR["daily"],
    )


@contextmanager
def _account(emulator: AwsEmulator) -> Iterator[None]:
    """The emulated account's credentials, and none of whoever runs the tests."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with patch.dict(os.environ, {**others, **emulator.environment()}, clear=True):
        yield
