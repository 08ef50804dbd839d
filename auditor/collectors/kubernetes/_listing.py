"""How a kind of object is listed: one place for ids, paging and what is never kept.

An operation is written ``group/version:plural`` (``core/v1:pods``); items of a list carry no kind, so the declaration names it.
A resource's id is ``namespace/Kind/name``, ``/Kind/name`` where it stands in no namespace. Each page is cut down to what is
kept of its objects as it comes, so that memory follows the page and not the list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from auditor.collectors.kubernetes._writers import writer
from auditor.domain.projection import project, tree
from auditor.domain.resource_type import WITHIN, WRITER, Listing

NAMED = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.labels",
    "metadata.ownerReferences[].kind",
    "metadata.ownerReferences[].name",
    "metadata.ownerReferences[].controller",
)
"""Kept of every object. Managed fields (read for the last writer) and the last applied manifest, which copies secrets, are kept
of none.
"""
KIND = "kind"
"""A parameter for the door: what an object of the listing is called in its id."""
ONE = "one"
"""A parameter for the door: the id of the one object that the listing shall show."""
METADATA_ONLY = "metadata_only"
"""A parameter for the door: ask for metadata alone, so that contents never reach us (Secrets)."""
NAMESPACES = "namespaces"
"""A parameter for the door, of kinds that stand in namespaces: those that alone are in scope, if a rule names them."""


def listing(
    operation: str,
    kind: str,
    *,
    keep: tuple[str, ...] = (),
    add: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
    added: tuple[str, ...] = (),
    namespaced: bool = True,
    metadata_only: bool = False,
    unsupported: bool = False,
    watched: bool = True,
) -> Listing:
    """All objects of a kind in the cluster, each under its id, with ``keep`` beside what is kept of every object.

    Args:
        operation: ``group/version:plural``.
        kind: As manifests spell it (``Pod``).
        keep: Allow-listed paths inside an object.
        add: What else is kept, made of the whole object in memory: for values that may only be scanned.
        added: The names that ``add`` gives.
        namespaced: Whether objects of the kind stand in namespaces.
        metadata_only: Ask for names, labels and owners alone.
        unsupported: Whether an API group that the cluster does not have means that there is none of the kind (a 404 is an answer).
        watched: Whether a watch tells of changes.
    """
    kept = tree((*NAMED, *keep))

    def page(answer: Mapping[str, Any]) -> Mapping[str, Any]:
        within = {WITHIN: answer[WITHIN]} if WITHIN in answer else {}
        return {"items": [_slim(item, kind, kept, add) for item in answer.get("items") or ()], **within}

    asked: dict[str, Any] = {KIND: kind, METADATA_ONLY: metadata_only} | (
        {NAMESPACES: "{namespaces}"} if namespaced else {}
    )
    return Listing(
        operation,
        items="items",
        id="id",
        one=ONE,
        watched=watched and not metadata_only,  # who may watch secrets sees what is in them
        keep=(*NAMED, *keep, *added),
        page=page,
        unsupported=("NotFound",) if unsupported else (),
        **asked,
    )


def id_of(about: Mapping[str, Any], kind: str) -> str:
    """The id of an object, from its metadata."""
    return f"{about.get('namespace') or ''}/{kind}/{about['name']}"


def _slim(
    item: Mapping[str, Any],
    kind: str,
    kept: Mapping[str, Any],
    add: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None,
) -> Mapping[str, Any]:
    """What is kept of an object; one that cannot be told has no id, which costs its listing the completeness and no more."""
    try:
        about = item["metadata"]
        return {
            **project(item, kept),
            **(add(item) if add else {}),
            "id": id_of(about, kind),
            **({WRITER: wrote} if (wrote := writer(about)) else {}),
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {"id": None}
