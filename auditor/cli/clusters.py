"""``auditor source add kubernetes`` and ``auditor source token``: connecting a cluster, and giving it a fresh token."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from auditor.cli import certificates, eks
from auditor.domain.errors import ConfigurationError, TenancyError
from auditor.domain.scope import Scope
from auditor.domain.source import ClusterAccess, Source, public_id

if TYPE_CHECKING:
    from auditor.bootstrap import Installation

EPILOG = """examples:
  auditor source add kubernetes --name production --kubeconfig /etc/auditor/kubeconfig --context production
  auditor source add kubernetes --name production --in-cluster
  auditor source add kubernetes --name production --url https://10.0.0.1:6443 --ca ca.pem --token-file token
  auditor source add kubernetes --name production --eks shop --region eu-central-1 --role-arn arn:aws:iam::123456789012:role/auditor
  auditor source token --source production --token-file token

A kubeconfig is read where workers run, each time they connect: its path must lead to it there too. An address in a private
network needs that network in AUDITOR_EGRESS_ALLOW. auditor permissions kubernetes prints the role that is needed.
"""
HOURS = 24
_RAW: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EPILOG}


def add_kind(kinds: Any) -> None:
    """``source add kubernetes``."""
    one = kinds.add_parser(
        "kubernetes", help="a cluster, by a kubeconfig, from inside, by its address, or by AWS", **_RAW
    )
    one.add_argument("--tenant", default="default", metavar="SLUG", help="organisation (default: default)")
    one.add_argument("--name", required=True, help="how pages call it")
    way = one.add_mutually_exclusive_group(required=True)
    way.add_argument("--kubeconfig", type=Path, metavar="FILE", help="on every machine with workers")
    way.add_argument("--in-cluster", action="store_true", help="the cluster that workers run in, by their account")
    way.add_argument("--url", metavar="URL", help="of the API server; needs --ca and --token-file")
    eks.add_options(way, one)
    one.add_argument("--context", metavar="C", help="context of the kubeconfig (default: the current one)")
    one.add_argument("--ca", type=Path, metavar="FILE", help="certificate of its authority, PEM")
    one.add_argument("--token-file", type=Path, metavar="FILE", help="bearer token; kept encrypted")
    one.add_argument(
        "--namespace",
        action="append",
        default=[],
        metavar="N",
        help="only what stands in these is in scope (default: all)",
    )
    certificates.add_option(one)
    one.add_argument("--every", type=float, default=HOURS, metavar="HOURS", help="how often (default: 24)")
    one.set_defaults(run=run_add, parser=one)


def add_token(verbs: Any) -> None:
    """``source token``."""
    one = verbs.add_parser("token", help="ask a cluster with another token from now on", **_RAW)
    one.add_argument("--tenant", default="default", metavar="SLUG", help="organisation (default: default)")
    one.add_argument("--source", required=True, help="name, account or id")
    one.add_argument("--token-file", type=Path, required=True, metavar="FILE", help="bearer token; kept encrypted")
    one.set_defaults(run=run_token)


def run_add(arguments: argparse.Namespace) -> int:
    """Ask the cluster who it is, and connect it."""
    if arguments.every <= 0:
        raise ConfigurationError("--every takes a number of hours above zero")
    if (arguments.url is None) != (arguments.ca is None) or (arguments.url is None) != (arguments.token_file is None):
        arguments.parser.error("--url, --ca and --token-file go together")
    if arguments.context is not None and arguments.kubeconfig is None:
        arguments.parser.error("--context is one of a --kubeconfig")
    eks.check(arguments)
    from auditor.cli.connect import opened, tenant_of  # noqa: PLC0415  (it adds our command, so it imports us)

    with opened() as here:
        tenant = tenant_of(here, arguments.tenant)
        asked = _asked(arguments, tenant)
        token = None if arguments.token_file is None else arguments.token_file.read_text("utf-8").strip()
        source, identity = identified(here, asked, token)
        every = timedelta(hours=arguments.every).total_seconds()
        with here.open_tenant(tenant) as books:
            scope = Scope(namespaces=tuple(dict.fromkeys(arguments.namespace)))
            books.add_source(source, scope, regions=(), every=every, now=here.clock())
    print(f"{source.name}: cluster {source.account}, asked as {identity}")
    _tell_end(source.access, here.clock())
    print("The first run starts as soon as a worker is up; it is a baseline and alerts nobody.")
    return 0


def identified(here: Installation, source: Source, token: str | None) -> tuple[Source, str]:
    """The source under the id of the cluster that answers, its token sealed; and who we are there.

    Raises:
        CollectionError: It does not answer, does not let us in, or does not show which cluster it is.
    """
    from auditor.bootstrap import CLUSTER_TOKEN  # noqa: PLC0415  (the command pays for what it uses)
    from auditor.collectors.kubernetes import _sources as clusters  # noqa: PLC0415  (the library costs 0.25 s)

    access = source.access
    if access is None:
        raise TenancyError(f"{source.name} is no cluster")
    sealed = None if token is None else here.keyring.seal(source.tenant, CLUSTER_TOKEN, token.encode())
    caller: Any = here.caller(replace(source, secret_sealed=sealed), threads=2)
    uid = clusters.uid_of(caller)
    arn = source.account if access.eks is not None else None
    if access.kubeconfig is not None:
        arn = clusters.eks_arn(Path(access.kubeconfig), access.context)
    account = arn or uid
    known = replace(access, uid=uid, expires_at=None if token is None else clusters.expiry(token))
    id_ = public_id(source.tenant, "source", "kubernetes", account)
    return replace(source, id=id_, account=account, access=known, secret_sealed=sealed), caller.identity


def run_token(arguments: argparse.Namespace) -> int:
    """Try the token, and keep it if it opens the same cluster."""
    from auditor.cli.connect import find_source, opened, tenant_of  # noqa: PLC0415  (it adds our command)

    token = arguments.token_file.read_text("utf-8").strip()
    with opened() as here:
        tenant = tenant_of(here, arguments.tenant)
        with here.open_tenant(tenant) as books:
            source = find_source(books.sources(), arguments.source)
        if source.access is None or source.access.url is None:
            raise ConfigurationError(f"{source.name} is not asked with a token that is kept here")
        renewed, identity = identified(here, source, token)
        if renewed.access is None or renewed.secret_sealed is None:
            raise ConfigurationError(f"{source.name} is not asked with a token that is kept here")
        with here.open_tenant(tenant) as books:
            books.renew_secret(source.id, renewed.access, renewed.secret_sealed, by="operator", now=here.clock())
    print(f"{source.name}: asked as {identity} from now on")
    _tell_end(renewed.access, here.clock())
    return 0


def _asked(arguments: argparse.Namespace, tenant: UUID) -> Source:
    """The source as it was typed, before anybody knows which cluster answers; one of EKS is known by its ARN beforehand."""
    access = replace(_access(arguments), certificates=tuple(dict.fromkeys(arguments.certificates)))
    source = Source(tenant, tenant, "kubernetes", arguments.name, arguments.name, "", access=access)
    if arguments.eks is None:
        return source
    from auditor.bootstrap.clusters import eks_arn  # noqa: PLC0415  (boto3)

    by = eks.credentials(arguments)
    return replace(
        source,
        account=eks_arn(by, arguments.eks, arguments.region),
        role_arn=by.role_arn,
        external_id=by.external_id,
        profile=by.profile,
        endpoint_url=by.endpoint_url,
    )


def _access(arguments: argparse.Namespace) -> ClusterAccess:
    """The way in as it was typed; a kubeconfig by its whole path and the name of its context, since both may move."""
    from auditor.collectors.kubernetes import _connection as ways  # noqa: PLC0415  (the library costs 0.25 s)

    if arguments.kubeconfig is not None:
        context = ways.cluster_names(arguments.kubeconfig, arguments.context)[0]
        return ClusterAccess("", kubeconfig=str(arguments.kubeconfig.absolute()), context=context)
    if arguments.eks is not None:
        return ClusterAccess("", eks=arguments.eks, region=arguments.region)
    if arguments.url is not None:
        return ClusterAccess("", url=arguments.url, authority=arguments.ca.read_text("utf-8"))
    return ClusterAccess("", in_cluster=True)


def _tell_end(access: ClusterAccess | None, now: datetime) -> None:
    if access is not None and access.expires_at is not None:
        left = access.expires_at - now
        print(
            f"Its token ends {access.expires_at:%Y-%m-%d %H:%M} UTC, in {left.days} days; auditor source token renews it."
        )
