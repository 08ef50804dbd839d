"""``auditor scope``: which part of a source is audited, shown with its history, previewed, and changed with a reason."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from auditor.domain.errors import ConfigurationError
from auditor.domain.scope import Rule, Scope
from auditor.domain.scope_change import ScopePreview, faults

if TYPE_CHECKING:
    from auditor.bootstrap import Installation

EPILOG = """what is given replaces the whole rule; with no rule at all, everything is in scope
patterns take * and ?, and mind upper and lower case

examples:
  auditor scope show production
  auditor scope preview production --without-region ap-south-1 --without-tag env=sandbox*
  auditor scope set production --without-region ap-south-1 --why "nothing runs there, policy NET-4"
  auditor scope set production --service s3 --service iam --why "first stage of the project"
  auditor scope set production --without-resource "arn:aws:s3:::scratch-*" --why "no patient data, J. Doe"
  auditor scope set shop --without-namespace sandbox --without-namespace "test-*" --why "no patient data there"
  auditor scope set production --why "everything again"
"""
_RAW: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EPILOG}
_NOUNS = (
    ("region", "R", "region"),
    ("service", "S", "service, as the first word of a check's id"),
    ("namespace", "GLOB", "what stands in a namespace like this, and the namespace itself"),
    ("tag", "K=PATTERN", "resources that carry this tag"),
    ("resource", "GLOB", "resources whose id is like this"),
)


def add(commands: Any) -> None:
    """``scope show``, ``scope preview`` and ``scope set``."""
    scope = commands.add_parser("scope", help="which part of a source is audited", **_RAW)
    verbs = scope.add_subparsers(metavar="VERB", required=True)
    show = verbs.add_parser("show", help="the rule in force and every one before it", **_RAW)
    preview = verbs.add_parser("preview", help="what would leave and what would come back; changes nothing", **_RAW)
    change = verbs.add_parser("set", help="put a rule in force; what is out of it turns to excluded at once", **_RAW)
    for verb, run in ((show, run_show), (preview, run_preview), (change, run_set)):
        verb.add_argument("source", metavar="NAME", help="name, account or id of the source")
        verb.add_argument("--tenant", default="default", metavar="SLUG", help="organisation (default: default)")
        verb.set_defaults(run=run)
    for verb in (preview, change):
        for noun, metavar, words in _NOUNS:
            verb.add_argument(f"--{noun}", action="append", default=[], metavar=metavar, help=f"only {words}")
        for noun, metavar, words in _NOUNS:
            verb.add_argument(f"--without-{noun}", action="append", default=[], metavar=metavar, help=f"not {words}")
    change.add_argument("--why", required=True, metavar="REASON", help="shown wherever something is excluded")


def run_show(arguments: argparse.Namespace) -> int:
    """The versions, the one in force first."""
    with _open() as here:
        tenant, source, _ = _found(here, arguments)
        with here.open_tenant(tenant) as books:
            versions = books.scopes(source)
            looked_at, known = books.regions(source), books.all_regions(source)
    print(f"{len(looked_at)} of {len(known)} regions are looked at: {', '.join(looked_at) or 'none'}")
    for one in versions:
        print(f"version {one.scope.version}, {one.valid_from:%Y-%m-%d %H:%M} UTC, {one.by}: {one.reason}")
        for words in one.scope.words():
            print(f"  {words}")
    return 0


def run_preview(arguments: argparse.Namespace) -> int:
    """What the rule would move."""
    with _open() as here:
        tenant, source, wanted = _found(here, arguments)
        with here.open_tenant(tenant) as books:
            found = books.preview_scope(source, wanted)
    print("\n".join(lines(found)))
    return 0


def run_set(arguments: argparse.Namespace) -> int:
    """Change the scope, and say what left."""
    with _open() as here:
        tenant, source, wanted = _found(here, arguments)
        change = here.change_scope(tenant, source, wanted, by=actor(), reason=arguments.why)
    failing = sum(turn.was_open for turn in change.turns)
    print(f"version {change.scope.version} is in force: {'; '.join(change.scope.words())}")
    print(f"{len(change.turns)} findings are excluded now, {failing} of them were failing")
    if change.scope.asks_tags:
        print("Tag rules are applied by the next run.")
    return 0


def lines(found: ScopePreview) -> Iterator[str]:
    """The preview as people read it."""
    yield (
        f"leaving: {found.findings_leaving} findings of {found.resources_leaving} resources, "
        f"{found.failing_leaving} of them failing"
    )
    for one in found.leaving:
        yield f"  {one.check:48} {one.place:16} {one.findings} findings, {one.failing} failing"
    yield f"coming back: {found.findings_returning} findings of {found.resources_returning} resources"
    for one in found.returning:
        yield f"  {one.check:48} {one.place:16} {one.findings} findings, judged by the next run"
    if found.regions_ending:
        yield f"regions no longer looked at: {', '.join(found.regions_ending)}"
    if found.regions_beginning:
        yield f"regions looked at again: {', '.join(found.regions_beginning)}"
    if found.tags_later:
        yield "tag rules are applied by the next run: what they leave out is not counted here"


def actor() -> str:
    """Who types: the name that the system knows them by."""
    try:
        return f"operator {getpass.getuser()}"
    except (KeyError, OSError):
        return "operator"


def _open() -> Installation:
    from auditor.bootstrap import Installation  # noqa: PLC0415  (the command pays for what it uses)
    from auditor.settings import configured  # noqa: PLC0415

    return Installation.open(configured())


def _found(here: Installation, arguments: argparse.Namespace) -> Any:
    """The tenant, the source, and the rule that was typed, if one was."""
    from auditor.cli.connect import find_source, tenant_of  # noqa: PLC0415  (it adds its commands beside these)

    tenant = tenant_of(here, arguments.tenant)
    with here.open_tenant(tenant) as books:
        source = find_source(books.sources(), arguments.source).id
        before, regions, namespaces = books.scope(source), books.all_regions(source), books.namespaces(source)
    if not hasattr(arguments, "region"):
        return tenant, source, before
    wanted = typed(arguments, before)
    services = {check.id.partition(".")[0] for check in here.library.checks}
    wrong = faults(wanted, regions=regions, services=services, namespaces=namespaces)
    if wrong:
        raise ConfigurationError(wrong[0], advice="Nothing was changed")
    return tenant, source, wanted


def typed(arguments: argparse.Namespace, before: Scope) -> Scope:
    """The rule that the options spell; which frameworks are asked stays as it is."""
    return Scope(
        version=before.version,
        regions=tuple(arguments.region),
        services=tuple(arguments.service),
        namespaces=tuple(arguments.namespace),
        frameworks=before.frameworks,
        tags=tuple(arguments.tag),
        resources=tuple(arguments.resource),
        without=Rule(
            regions=tuple(arguments.without_region),
            services=tuple(arguments.without_service),
            namespaces=tuple(arguments.without_namespace),
            tags=tuple(arguments.without_tag),
            resources=tuple(arguments.without_resource),
        ),
    )
