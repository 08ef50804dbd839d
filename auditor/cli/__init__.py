"""The command line: one parser, one place where errors become sentences. Heavy rooms are imported by the command that needs them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from auditor import __version__
from auditor.domain.errors import AuditorError

USAGE = 3
EXAMPLES = """examples:
  auditor demo                                   a seeded company, six weeks of history, a page to look at
  auditor scan aws --region eu-central-1         one pass over the account of your AWS credentials
  auditor scan aws --format ndjson --fail-on high > findings.ndjson
  auditor scan kubernetes --context production   one pass over a cluster
  auditor permissions aws > policy.json          the least that collection needs
  auditor controls test                          every example of every check
  auditor up                                     web, worker and schedule in one process
"""


class _Parser(argparse.ArgumentParser):
    """Usage errors leave with 3: 2 means that nothing could be seen."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\nTry: {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line, without importing what the commands do."""
    from auditor.cli import bundle, connect, definitions, evidence, ledger, runs, scan, scope, serve  # noqa: PLC0415  (each adds its commands; all are light)

    top = _Parser(
        prog="auditor",
        description="Continuous auditing of cloud accounts against HIPAA and SOC 2, with evidence that can be checked.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"auditor {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
    for room in (scan, definitions, connect, scope, runs, serve, evidence, ledger, bundle):
        room.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except AuditorError as error:
        print(f"auditor: {error}", file=sys.stderr)
        if error.advice():
            print(f"  {error.advice().rstrip('.')}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("auditor: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:  # a file or folder that was named and cannot be used
        print(f"auditor: {error}", file=sys.stderr)
        return 2
