"""What is asked, as data: frameworks with requirements, controls with checks and duties, held against each other.

``load`` reads every YAML file once and refuses what does not fit: unknown keys, ids, requirements, resource types, names
in expressions, templates that name nothing. Each refusal names file and line. A tenant's own folder goes the same way.
``shipped`` gives what it found last time, as long as no file of definitions or code has changed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import auditor
from auditor.domain.control import Library
from auditor.domain.resource_type import AnyType
from auditor.workings import digest_of, recall, remember
from controls.kept import from_plain, plain

HERE = Path(__file__).parent


def load(resource_types: Iterable[AnyType], *, folder: Path = HERE) -> Library:
    """Every definition below the folder, checked against these resource types and against each other.

    Raises:
        DefinitionError: The first thing that does not fit, by file and line.
    """
    from controls.loading import load_folder  # noqa: PLC0415  (YAML and pydantic: 0.4 s that a known library saves)

    return load_folder(resource_types, folder)


@cache
def shipped() -> Library:
    """The definitions of this release, over every declared type."""
    digest = digest_of(_sources())
    known = recall(__file__, "definitions", digest)
    if known is not None:
        return from_plain(known)
    from auditor.collectors.declared import resource_types  # noqa: PLC0415  (a tenant's own folder may bring other types)

    library = load(resource_types())
    remember(__file__, "definitions", digest, plain(library))
    return library


def _sources() -> Iterator[Path]:
    """Every file that could change what ``load`` gives: definitions, the types they name, and the code that judges both."""
    yield from HERE.rglob("*.yaml")
    code = Path(auditor.__file__).parent
    for folder in (
        HERE,
        code / "proof",
        code / "domain",
        code / "collectors" / "aws",
        code / "collectors" / "kubernetes",
    ):
        yield from folder.glob("*.py")
