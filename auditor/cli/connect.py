"""``auditor source|run|user|webhook``: what an operator sets up, one command each, over the same store as the pages."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from auditor.cli import certificates, clusters, inventory, preflight, runs
from auditor.domain.errors import ConfigurationError, TenancyError
from auditor.domain.scope import Scope
from auditor.domain.source import Source, public_id

if TYPE_CHECKING:
    from auditor.bootstrap import Installation
    from auditor.domain.ports import RunState

EPILOG = """examples:
  auditor user add ana@example.org --tenant acme --role owner
  auditor source add aws --tenant acme --name production --role-arn arn:aws:iam::123456789012:role/auditor --external-id 7f3a
  auditor source add kubernetes --tenant acme --name shop --kubeconfig /etc/auditor/kubeconfig --context shop
  auditor source test --tenant acme --source production
  auditor run --tenant acme --source production --wait
  auditor webhook add https://hooks.example.org/auditor --tenant acme
"""
ROLES = ("owner", "officer", "engineer", "auditor")
HOURS = 24
PASSWORD = "AUDITOR_PASSWORD"  # noqa: S105  (the variable's name)


def add(commands: Any) -> None:
    """``source``, ``run``, ``user`` and ``webhook``."""
    source = commands.add_parser("source", help="connect accounts and clusters", **_RAW)
    verbs = source.add_subparsers(metavar="VERB", required=True)
    connect = verbs.add_parser("add", help="connect an account or a cluster", **_RAW)
    kinds = connect.add_subparsers(metavar="KIND", required=True)
    aws = kinds.add_parser("aws", help="an AWS account, through the usual credential chain or a role", **_RAW)
    _tenant(aws)
    aws.add_argument("--name", help="how pages call it (default: the account id)")
    aws.add_argument("--profile", help="profile of the AWS configuration")
    aws.add_argument("--role-arn", help="role to assume")
    aws.add_argument("--external-id", help="external id that the role's trust asks for")
    aws.add_argument("--endpoint-url", help="an emulator instead of AWS; pages say so")
    aws.add_argument(
        "--region", action="append", default=[], metavar="R", help="only these regions (default: all enabled)"
    )
    aws.add_argument("--every", type=float, default=HOURS, metavar="HOURS", help="how often (default: 24)")
    aws.set_defaults(run=run_source_add)
    clusters.add_kind(kinds)
    listing = verbs.add_parser("list", help="connected accounts and clusters", **_RAW)
    _tenant(listing)
    listing.set_defaults(run=run_source_list)
    clusters.add_token(verbs)
    certificates.add_verb(verbs)
    preflight.add(verbs)
    inventory.add(verbs)
    runs.add_pace(verbs)
    now = commands.add_parser("run", help="look at a source now", **_RAW)
    _tenant(now)
    now.add_argument("--source", required=True, help="name, account or id")
    now.add_argument("--wait", action="store_true", help="until it is over (a worker must be running)")
    now.set_defaults(run=run_now)
    user = commands.add_parser("user", help="people", **_RAW)
    people = user.add_subparsers(metavar="VERB", required=True)
    person = people.add_parser(
        "add", help=f"somebody who may sign in; the password is asked for, or read from {PASSWORD}", **_RAW
    )
    _tenant(person)
    person.add_argument("email")
    person.add_argument("--name", help="(default: the part before the @)")
    person.add_argument("--role", choices=ROLES, default="owner")
    person.set_defaults(run=run_user_add)
    webhook = commands.add_parser("webhook", help="who is told", **_RAW)
    hooks = webhook.add_subparsers(metavar="VERB", required=True)
    hook = hooks.add_parser("add", help="tell this address when findings open and end; prints the secret once", **_RAW)
    _tenant(hook)
    hook.add_argument("url")
    hook.set_defaults(run=run_webhook_add)


_RAW: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EPILOG}


def _tenant(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tenant", default="default", metavar="SLUG", help="organisation (default: default)")


def opened() -> Installation:
    """The installation that the settings name, to be used in a ``with`` block."""
    from auditor.bootstrap import Installation  # noqa: PLC0415  (the command pays for what it uses)
    from auditor.settings import configured  # noqa: PLC0415

    return Installation.open(configured())


def tenant_of(here: Installation, slug: str) -> UUID:
    """The tenant of that slug. Raises ``TenancyError`` with how to make one."""
    tenant = here.identities.tenant(slug)
    if tenant is None:
        raise TenancyError(
            f"no tenant is called {slug}", advice=f"Make it with: auditor user add EMAIL --tenant {slug}"
        )
    return tenant.id


def run_source_add(arguments: argparse.Namespace) -> int:
    """Ask the account who it is, and connect it."""
    from auditor.collectors.aws._client import connect, enabled_regions  # noqa: PLC0415  (boto3)

    if arguments.every <= 0:
        raise ConfigurationError("--every takes a number of hours above zero")
    with opened() as here:
        tenant = tenant_of(here, arguments.tenant)
        caller = connect(
            profile=arguments.profile,
            role_arn=arguments.role_arn,
            external_id=arguments.external_id,
            endpoint_url=arguments.endpoint_url,
        )
        regions = tuple(arguments.region) or enabled_regions(caller)
        source = Source(
            tenant=tenant,
            id=public_id(tenant, "source", "aws", caller.account),
            kind="aws",
            account=caller.account,
            name=arguments.name or caller.account,
            partition=caller.partition,
            role_arn=arguments.role_arn,
            external_id=arguments.external_id,
            profile=arguments.profile,
            endpoint_url=arguments.endpoint_url or os.environ.get("AWS_ENDPOINT_URL"),
        )
        every = timedelta(hours=arguments.every).total_seconds()
        with here.open_tenant(tenant) as books:
            books.add_source(
                source, Scope(), regions=regions, every=every, now=here.clock(), pinned=bool(arguments.region)
            )
    print(f"{source.name}: account {source.account}, {len(regions)} regions, asked as {caller.identity}")
    print("The first run starts as soon as a worker is up; it is a baseline and alerts nobody.")
    return 0


def run_source_list(arguments: argparse.Namespace) -> int:
    """One line a source."""
    with opened() as here, here.open_tenant(tenant_of(here, arguments.tenant)) as books:
        for source in books.sources():
            real = f"  not a real provider ({source.stand_in})" if source.stand_in else ""
            regions = "cluster" if source.kind == "kubernetes" else f"{len(books.regions(source.id))} regions"
            print(f"{source.name:24} {source.account}  {regions}  {source.id}{real}")
    return 0


def run_now(arguments: argparse.Namespace) -> int:
    """Write the wish down; the workers do the rest."""
    from auditor.bootstrap import plan  # noqa: PLC0415  (the command pays for what it uses)

    with opened() as here:
        tenant = tenant_of(here, arguments.tenant)
        with here.open_tenant(tenant) as books:
            source = find_source(books.sources(), arguments.source)
            at = here.clock()
            run = plan(books, source.id, slot=at, now=at)
        print(f"run {run} of {source.name} is due", flush=True)
        return _wait(here, tenant, run) if arguments.wait else 0


def _wait(here: Installation, tenant: UUID, run: UUID) -> int:
    told: RunState | None = None
    while True:
        with here.open_tenant(tenant) as books:
            state = books.run(run)
        if told is None or state.units != told.units:
            shown = ", ".join(f"{count} {name}" for name, count in sorted(state.units.items()))
            print(f"  {shown}", file=sys.stderr, flush=True)
            told = state
        if state.state != "running":
            shown = ", ".join(f"{count} {name}" for name, count in sorted(state.counts.items()))
            print(f"{state.state}: {shown}")
            return 0 if state.state == "done" else 4
        time.sleep(0.5)


def _names(source: Source) -> set[str]:
    uid = {source.access.uid} if source.access is not None else set()
    return {source.name, source.account, str(source.id)} | uid


def find_source(sources: tuple[Source, ...], named: str) -> Source:
    """The one source of that name, account or id."""
    found = [source for source in sources if named in _names(source)]
    if len(found) != 1:
        known = ", ".join(source.name for source in sources) or "none yet"
        raise TenancyError(f"{len(found)} sources are called {named}", advice=f"There are: {known}")
    return found[0]


def run_user_add(arguments: argparse.Namespace) -> int:
    """Make the tenant if it is new, the identity if it is, and the membership."""
    from auditor.trust.passwords import Passwords  # noqa: PLC0415  (argon2)

    password = os.environ.get(PASSWORD) or (getpass.getpass("Password: ") if sys.stdin.isatty() else "")
    if len(password) < 12:
        raise ConfigurationError(
            "the password needs at least 12 characters", advice=f"Set {PASSWORD}, or type a longer one"
        )
    with opened() as here:
        add_user(
            here,
            slug=arguments.tenant,
            email=arguments.email,
            name=arguments.name or arguments.email.partition("@")[0],
            role=arguments.role,
            password_hash=Passwords().hash(password),
        )
    print(f"{arguments.email} may sign in to {arguments.tenant} as {arguments.role}")
    return 0


def add_user(
    here: Installation,
    *,
    slug: str,
    email: str,
    name: str,
    role: str,
    password_hash: str,
    demo: bool = False,
    tenant_name: str = "",
) -> UUID:
    """Somebody with a role in a tenant, both made if they are new; gives the tenant."""
    at = here.clock()
    tenant = here.identities.tenant(slug)
    if tenant is None:
        try:
            tenant = here.identities.add_tenant(uuid4(), slug=slug, name=tenant_name or slug, demo=demo, now=at)
        except TenancyError:  # somebody made it between the two questions
            tenant = here.identities.tenant(slug)
            if tenant is None:
                raise
    identity = here.identities.add_user(uuid4(), email=email, name=name, password_hash=password_hash, now=at)
    with here.open_tenant(tenant.id) as books:
        books.add_member(identity, role, now=at)
        books.record_action("operator", "user.add", email, {"role": role}, now=at)
    return tenant.id


def run_webhook_add(arguments: argparse.Namespace) -> int:
    """Keep the address and show its secret, this once."""
    with opened() as here:
        tenant = tenant_of(here, arguments.tenant)
        secret = here.add_webhook(tenant, arguments.url, by="operator")
    print(f"secret: {secret}")
    print("It is shown once; verify deliveries with it (Standard Webhooks, v1 signatures).")
    return 0
