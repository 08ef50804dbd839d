"""``auditor scan``: one pass over an account or a cluster, judged, printed, and summed up in an exit code a build can act on."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.cli import scan_kubernetes
from auditor.domain.control import SEVERITIES

if TYPE_CHECKING:
    from auditor.domain.control import Library
    from auditor.pipeline.scan import Scan

FINDINGS, BLIND, PARTIAL = 1, 2, 4
EXIT_CODES = """exit codes:
  0  looked everywhere asked, nothing at or above --fail-on
  1  findings at or above --fail-on
  2  nothing could be seen
  3  usage
  4  something could not be seen (0 with --allow-partial); 1 wins over 4
"""
EPILOG = f"""{EXIT_CODES}
examples:
  auditor scan aws
  auditor scan aws --profile prod --region eu-central-1 --region us-east-1
  auditor scan aws --role-arn arn:aws:iam::123456789012:role/auditor --external-id 7f3a --format csv --out scan.csv
  auditor scan aws --service s3 --framework hipaa --fail-on high
  auditor scan kubernetes --context production --format ndjson
"""


def add(commands: Any) -> None:
    """``scan aws`` and ``scan kubernetes``."""
    scan = commands.add_parser(
        "scan",
        help="look once, without a database",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = scan.add_subparsers(title="sources", metavar="SOURCE", required=True)
    aws = kinds.add_parser(
        "aws",
        help="the account behind the AWS credentials",
        description="One pass over an AWS account with the usual credential chain (AWS_ENDPOINT_URL honoured).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    aws.add_argument("--profile", help="profile of the AWS configuration")
    aws.add_argument("--role-arn", help="role to assume")
    aws.add_argument("--external-id", help="external id that the role's trust asks for")
    aws.add_argument(
        "--region", action="append", default=[], metavar="R", help="only these regions (default: all enabled)"
    )
    aws.add_argument("--service", action="append", default=[], metavar="S", help="only checks of these services")
    aws.add_argument(
        "--framework", action="append", default=[], metavar="F", help="only checks that serve it: hipaa, soc2"
    )
    aws.add_argument("--format", choices=("table", "json", "ndjson", "csv"), default="table")
    aws.add_argument("--out", type=Path, metavar="FILE", help="write there instead of standard output")
    aws.add_argument("--fail-on", choices=SEVERITIES, metavar="SEVERITY", help="low, medium, high or critical")
    aws.add_argument("--allow-partial", action="store_true", help="0 instead of 4 when something could not be seen")
    aws.add_argument("--threads", type=int, default=32, metavar="N", help="calls under way at once (default 32)")
    aws.set_defaults(run=run, parser=aws)
    scan_kubernetes.add(kinds, EXIT_CODES)


def run(arguments: argparse.Namespace) -> int:
    """Scan, write, and say in the exit code what was found."""
    from auditor.bootstrap import scan_aws  # noqa: PLC0415  (boto3 is paid for by the scan, not by --help)
    from controls import shipped  # noqa: PLC0415

    library = shipped().about("aws")
    known(arguments, "framework", set(library.framework))
    known(arguments, "service", {check.id.partition(".")[0] for check in library.checks})
    if arguments.threads < 1:
        arguments.parser.error("--threads takes a number from 1")
    seen = scan_aws(
        library,
        profile=arguments.profile,
        role_arn=arguments.role_arn,
        external_id=arguments.external_id,
        regions=tuple(arguments.region),
        services=tuple(arguments.service),
        frameworks=tuple(arguments.framework),
        threads=arguments.threads,
        clock=lambda: datetime.now(UTC),
        progress=progress,
    )
    return finish(seen, library, arguments)


def finish(seen: Scan, library: Library, arguments: argparse.Namespace) -> int:
    """Write what was seen as asked, and give the exit code."""
    from auditor.cli.scan_output import WRITERS  # noqa: PLC0415

    write = WRITERS[arguments.format]
    if arguments.out is None:
        write(seen, library, sys.stdout)
    else:
        with arguments.out.open("w", encoding="utf-8", newline="") as sink:
            write(seen, library, sink)
        print(f"auditor: {len(seen.verdicts)} lines written to {arguments.out}", file=sys.stderr)
    return exit_code(seen, arguments.fail_on, allow_partial=arguments.allow_partial)


def exit_code(seen: Scan, fail_on: str | None, *, allow_partial: bool) -> int:
    """Findings win over what could not be seen; seeing nothing at all is its own answer."""
    if seen.blind:
        return BLIND
    if fail_on is not None:
        floor = SEVERITIES.index(fail_on)
        if any(v.verdict == "fail" and SEVERITIES.index(v.severity) >= floor for v in seen.verdicts):
            return FINDINGS
    return PARTIAL if seen.partial and not allow_partial else 0


def known(arguments: argparse.Namespace, name: str, words: set[str]) -> None:
    """Refuse a word that names nothing, with those that do."""
    for word in getattr(arguments, name):
        if word not in words:
            arguments.parser.error(f"no {name} is called {word}; there are {', '.join(sorted(words))}")


def progress(place: str, done: int, of: int) -> None:
    """Say on standard error how far the looking has come."""
    if sys.stderr.isatty():
        print(
            f"\r\x1b[K{done} of {of} places, last {place}", end="\n" if done == of else "", file=sys.stderr, flush=True
        )
    else:
        print(f"looked at {place} ({done} of {of})", file=sys.stderr, flush=True)
