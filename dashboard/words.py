"""How facts are spelled on pages: states, times, numbers, and the names of checks. One spelling per thing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask, g, url_for
from jinja2 import StrictUndefined

from auditor.domain.control import Check
from auditor.domain.source import CLUSTER
from auditor.proof.canonical import stamp
from auditor.trust.access import Permission
from dashboard.context import here
from dashboard.security import FORM_FIELD, asking, form_token, signed_in

STATES = {
    "pass": "Pass",
    "fail": "Fail",
    "unknown": "Unknown",
    "not_applicable": "Not applicable",
    "absent": "Resource gone",
    "excluded": "Excluded",
}
GLYPHS = {
    "pass": "·",
    "fail": "✕",
    "unknown": "?",
    "not_applicable": "–",
    "absent": "\N{NO-BREAK SPACE}",
    "excluded": "∅",
}
STANDINGS = {
    "deviating": "Deviations",
    "undetermined": "Not determined",
    "holding": "No deviations",
    "none": "No machine part",
}
KINDS = {
    "opened": "Deviations opened",
    "resolved": "Deviations resolved",
    "lost": "No longer seen",
    "seen": "Seen again",
    "scope": "Left or entered the scope",
    "other": "Other turns",
}
CAUSES = {
    "resource": "The resource changed",
    "control": "The check's definition changed",
    "evaluator": "Our software changed",
    "coverage": "How far we could look changed",
    "time": "Time passed",
    "scope": "The scope changed",
}
COVERAGE = {
    "ok": "Complete",
    "denied": "Denied",
    "throttled": "Throttled",
    "error": "Failed",
    "unsupported": "Service not there",
    "stale": "Stale",
}
FIELDS = {
    "state": "State",
    "severity": "Severity",
    "framework": "Framework",
    "requirement": "Requirement",
    "control": "Control",
    "check": "Check",
    "source": "Source",
    "region": "Region",
    "resource_type": "Resource type",
    "tier": "Tier",
    "strength": "Strength",
    "q": "Search",
}
DIFFERENCES = {
    "gone": "This release has no such check",
    "condition": "Judged by another condition than this release's",
    "mapping": "The same condition; this release grades it or maps it to requirements otherwise",
    "text": "The same condition, in other words",
}
REMEDIES = {
    "cli": "CLI",
    "terraform": "Terraform",
    "cloudformation": "CloudFormation",
    "console": "Console",
    "text": "In words",
}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Not ``strftime``: a server's locale must not change what a page says."""


def install(app: Flask) -> None:
    """Teach the templates our words."""
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        day=day,
        moment=moment,
        iso=stamp,
        number=number,
        pretty=pretty,
        ago=ago,
        lasting=lasting,
        within=within,
        account_or_cluster=account_or_cluster,
    )
    app.jinja_env.globals.update(
        STATES=STATES,
        GLYPHS=GLYPHS,
        STANDINGS=STANDINGS,
        KINDS=KINDS,
        CAUSES=CAUSES,
        COVERAGE=COVERAGE,
        FIELDS=FIELDS,
        DIFFERENCES=DIFFERENCES,
        REMEDIES=REMEDIES,
        FORM_FIELD=FORM_FIELD,
        form_token=form_token,
        rows_url=rows_url,
        title_of=title_of,
        style_version=_version(Path(app.root_path) / "static" / "app.css"),
    )
    app.context_processor(_of_request)


def _of_request() -> dict[str, Any]:
    return {
        "person": signed_in(),
        "correlation": g.get("correlation", ""),
        "now": here().clock(),
        "opened": here().opened,
        "may": _may,
    }


def _may(permission: Permission) -> bool:
    return signed_in() is not None and asking().may(permission)


def _version(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def moment(at: datetime) -> str:
    """An instant as people read it: ``22 Nov 2026, 10:30 UTC``."""
    return f"{day(at)}, {at:%H:%M} UTC"


def day(at: Any) -> str:
    """A day: ``22 Nov 2026``."""
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}"


def ago(at: datetime) -> str:
    """How long before the shown instant, in one unit."""
    return f"{lasting(here().clock() - at)} ago"


def lasting(span: timedelta) -> str:
    """A length of time in one unit, rounded down."""
    seconds = max(int(span.total_seconds()), 0)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def number(n: int) -> str:
    """A count with thousands separators."""
    return f"{n:,}"


def pretty(value: Any) -> str:
    """JSON for people: sorted, indented."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str)


def rows_url(base: Mapping[str, str] | None = None, **fields: Any) -> str:
    """The address of the findings behind a number; a field given as ``None`` is taken out of the base."""
    asked = {**(base or {}), **fields}
    return url_for("findings.index", **{name: value for name, value in asked.items() if value})


def within(region: str, resource_type: str) -> str:
    """Where a resource stands: its region; a cluster has none, so all that is in it stands in the cluster."""
    return CLUSTER if resource_type.startswith("kubernetes.") else region


def account_or_cluster(account: str) -> str:
    """What a source's id is the id of: accounts are numbers."""
    return "account" if account.isdigit() else "cluster"


def title_of(check: str) -> str:
    """A check's title, or its id where the library no longer has it."""
    found: Check | None = here().library.check.get(check)
    return found.title if found else check
