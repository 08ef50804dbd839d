"""``auditor scan kubernetes`` and ``auditor permissions kubernetes``: one pass over a cluster, and the role it needs."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.cli import certificates, eks
from auditor.domain.control import SEVERITIES
from auditor.domain.scope import Scope
from auditor.domain.source import GLOBAL

if TYPE_CHECKING:
    from auditor.collectors.kubernetes._client import ClusterCaller
    from auditor.domain.control import Library
    from auditor.pipeline.plan import Selection

EXAMPLES = """examples:
  auditor scan kubernetes
  auditor scan kubernetes --kubeconfig ./production.yaml --context production
  auditor scan kubernetes --eks shop --region eu-central-1 --profile production
  auditor scan kubernetes --namespace payments --namespace web --fail-on high
  auditor scan kubernetes --format ndjson --out scan.ndjson
"""
ROLES = """examples:
  auditor permissions kubernetes | kubectl apply -f -
  auditor permissions kubernetes --certificates shop/web-tls > roles.yaml
  auditor permissions kubernetes --namespace shop --namespace payments > roles.yaml
"""


def add(kinds: Any, exit_codes: str) -> None:
    """``scan kubernetes``."""
    one = kinds.add_parser(
        "kubernetes",
        help="the cluster of a kubeconfig context, or the one this runs in",
        description="One pass over a cluster by its API, reading only. Without a kubeconfig it is the cluster of this pod.",
        epilog=f"{exit_codes}\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    way = one.add_mutually_exclusive_group()
    way.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: as kubectl finds it")
    eks.add_options(way, one)
    one.add_argument("--context", metavar="C", help="context of the kubeconfig (default: the current one)")
    one.add_argument(
        "--namespace", action="append", default=[], metavar="N", help="only what stands in these (default: all)"
    )
    certificates.add_option(one)
    one.add_argument(
        "--framework", action="append", default=[], metavar="F", help="only checks that serve it: hipaa, soc2"
    )
    one.add_argument("--format", choices=("table", "json", "ndjson", "csv"), default="table")
    one.add_argument("--out", type=Path, metavar="FILE", help="write there instead of standard output")
    one.add_argument("--fail-on", choices=SEVERITIES, metavar="SEVERITY", help="low, medium, high or critical")
    one.add_argument("--allow-partial", action="store_true", help="0 instead of 4 when something could not be seen")
    one.add_argument("--threads", type=int, default=8, metavar="N", help="calls under way at once (default 8)")
    one.set_defaults(run=run, parser=one)


def add_permissions(kinds: Any) -> None:
    """``permissions kubernetes``."""
    one = kinds.add_parser(
        "kubernetes",
        help="ClusterRole as YAML",
        epilog=ROLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument(
        "--namespace", action="append", default=[], metavar="N", help="what stands in namespaces: in these alone"
    )
    certificates.add_option(one)
    one.set_defaults(run=run_permissions)


def run(arguments: argparse.Namespace) -> int:
    """Scan, write, and say in the exit code what was found."""
    from auditor.cli.scan import finish, known, progress  # noqa: PLC0415  (it adds our command, so it imports us)
    from auditor.pipeline.scan import scan  # noqa: PLC0415

    library = _library()
    known(arguments, "framework", set(library.framework))
    if arguments.threads < 1:
        arguments.parser.error("--threads takes a number from 1")
    eks.check(arguments)
    if arguments.eks is not None and arguments.context is not None:
        arguments.parser.error("--context is one of a kubeconfig")
    caller = _caller(arguments)
    caller.certificates = tuple(arguments.certificates)
    seen = scan(
        _selection(library, tuple(arguments.framework)),
        caller,
        (GLOBAL,),
        clock=lambda: datetime.now(UTC),
        threads=arguments.threads,
        progress=progress,
        kind="kubernetes",
    )
    return finish(seen, library, arguments)


def _caller(arguments: argparse.Namespace) -> ClusterCaller:
    namespaces, threads = tuple(arguments.namespace), arguments.threads
    if arguments.eks is None:
        from auditor.collectors.kubernetes._connection import connect  # noqa: PLC0415  (the library costs 0.25 s)

        return connect(
            kubeconfig=arguments.kubeconfig, context=arguments.context, namespaces=namespaces, threads=threads
        )
    from auditor.bootstrap.clusters import eks_cluster  # noqa: PLC0415  (boto3)
    from auditor.settings import configured  # noqa: PLC0415
    from auditor.trust.egress import Egress, parse_networks  # noqa: PLC0415

    return eks_cluster(
        eks.credentials(arguments),
        arguments.eks,
        arguments.region,
        egress=Egress(parse_networks(configured().egress_allow)),
        namespaces=namespaces,
        threads=threads,
    )


def run_permissions(arguments: argparse.Namespace) -> int:
    """Print the least roles for every check that is shipped."""
    from auditor.collectors.kubernetes._permissions import roles  # noqa: PLC0415

    kinds = _selection(_library(), ()).collected
    sys.stdout.write(roles(kinds, namespaces=arguments.namespace, certificates=arguments.certificates))
    return 0


def _library() -> Library:
    from controls import shipped  # noqa: PLC0415  (reads every file)

    return shipped().about("kubernetes")


def _selection(library: Library, frameworks: tuple[str, ...]) -> Selection:
    from auditor.collectors.kubernetes import resource_types  # noqa: PLC0415  (reads every declaration)
    from auditor.pipeline.plan import select  # noqa: PLC0415

    return select(library, resource_types(), Scope(frameworks=frameworks))
