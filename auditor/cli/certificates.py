"""``--certificates NAMESPACE/NAME`` and ``auditor source certificates``: Secrets that may be read, each by its name."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from typing import Any

from auditor.domain.errors import ConfigurationError

_NAMED = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-.a-z0-9]*[a-z0-9])?", re.ASCII)
_WORDS = "read this Secret for the days of its certificate, and keep no more of it"
EPILOG = """what is given replaces what was named before; with none, no Secret is read any more
auditor permissions kubernetes --certificates NAMESPACE/NAME prints the role that is needed

examples:
  auditor source certificates --source shop shop/web-tls payments/api-tls
  auditor source certificates --source shop
"""


def named(text: str) -> str:
    """A Secret as it is named; refused where it cannot be one."""
    if not _NAMED.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAMESPACE/NAME")
    return text


def add_option(command: argparse.ArgumentParser) -> None:
    """``--certificates``."""
    command.add_argument(
        "--certificates", action="append", default=[], type=named, metavar="NAMESPACE/NAME", help=_WORDS
    )


def add_verb(verbs: Any) -> None:
    """``source certificates``."""
    one = verbs.add_parser(
        "certificates",
        help="which Secrets of a cluster are read for the days of their certificates",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("--tenant", default="default", metavar="SLUG", help="organisation (default: default)")
    one.add_argument("--source", required=True, help="name, account or id")
    one.add_argument("certificates", nargs="*", type=named, metavar="NAMESPACE/NAME", help=_WORDS)
    one.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write down who named which; the next run reads them."""
    from auditor.cli.connect import find_source, opened, tenant_of  # noqa: PLC0415  (it adds our command)
    from auditor.cli.scope import actor  # noqa: PLC0415

    with opened() as here, here.open_tenant(tenant_of(here, arguments.tenant)) as books:
        source = find_source(books.sources(), arguments.source)
        if source.access is None:
            raise ConfigurationError(f"{source.name} is no cluster")
        access = replace(source.access, certificates=tuple(dict.fromkeys(arguments.certificates)))
        books.name_certificates(source.id, access, by=actor(), now=here.clock())
    print(f"{source.name}: Secrets read from the next run on: {', '.join(access.certificates) or 'none'}")
    return 0
