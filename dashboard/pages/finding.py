"""Finding: the verdict and what decided it, its history, the evidence behind it, what it bears on, and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from flask import Blueprint, abort, render_template

from auditor.domain.errors import EvidenceError
from auditor.proof.canonical import instant
from auditor.store.reads import findings as reads
from auditor.store.reads import history
from auditor.trust.access import needs
from dashboard.context import here
from dashboard.security import asking

if TYPE_CHECKING:
    from collections.abc import Mapping

page = Blueprint("finding", __name__)
NO_RECORD = "No record of calls stands behind it: it was derived from other evidence, or seen before records were kept."


@page.get("/findings/<uuid:id_>")
@needs("findings:read")
def index(id_: UUID) -> str:
    """One finding."""
    context, principal, as_of = here(), asking(), here().clock()
    with context.open_read(principal.tenant) as conn:
        detail = reads.finding(conn, context.library, id_, as_of)
        if detail is None:
            abort(404)
        row = detail.row
        stretches = history.stretches(
            conn,
            context.library,
            row.id,
            source=row.source,
            place=row.place,
            resource_type=row.resource_type,
            check=row.check,
            as_of=as_of,
        )
    digest = detail.span.get("evidence_digest")
    evidence, unread = _evidence(principal.tenant, digest)
    calls, untold = _calls(principal.tenant, detail.provenance)
    standing, _ = (evidence, "") if detail.standing == digest else _evidence(principal.tenant, detail.standing)
    return render_template(
        "pages/finding.html",
        row=row,
        span=detail.span,
        provenance=detail.provenance,
        calls=calls,
        untold=untold,
        definition=detail.definition,
        changed=detail.changed,
        last_look_at=detail.last_look_at,
        stretches=stretches,
        check=context.library.check.get(row.check),
        control=context.library.control.get(row.control),
        frameworks=context.library.framework,
        evidence=evidence,
        members=_members(standing),
        unread=unread,
    )


def _calls(tenant: UUID, provenance: Mapping[str, Any] | None) -> tuple[list[Mapping[str, Any]], str]:
    """The calls that the evidence rests on, or the sentence that says why they are not shown."""
    if provenance is None or provenance["calls_digest"] is None:
        return [], "" if provenance is None else NO_RECORD
    record, unread = _evidence(tenant, provenance["calls_digest"])
    if record is None:
        return [], unread
    told = record["content"]["calls"]
    return [
        {**call, **{key: instant(call[key]) for key in ("started_at", "finished_at")}}
        for call in (told[number] for number in provenance["calls"])
    ], ""


def _members(evidence: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What a judged thing is made of, where its document says so: the pods of a workload."""
    content = (evidence or {}).get("content")
    document = content.get("document") if isinstance(content, dict) else None
    members = document.get("members") if isinstance(document, dict) else None
    return tuple(map(str, members)) if isinstance(members, list) else ()


def _evidence(tenant: UUID, digest: str | None) -> tuple[Mapping[str, Any] | None, str]:
    """The kept answers, or the sentence that says why they are not shown: the rest of the page stands without them."""
    if not digest:
        return None, "No single answer stands behind this line: it was judged over a place, or over several resources."
    try:
        return here().evidence(tenant, digest), ""
    except EvidenceError as error:
        return None, f"The kept answer could not be read ({error.code}): {error}. {error.advice()}".strip()
