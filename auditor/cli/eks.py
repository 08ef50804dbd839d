"""``--eks CLUSTER --region R``: a cluster by AWS credentials alone, for whichever command reaches clusters."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditor.bootstrap.clusters import Credentials

_OPTIONS = (
    ("--region", "R", "of the EKS cluster"),
    ("--profile", "P", "profile of the AWS configuration, for --eks"),
    ("--role-arn", "ARN", "role to assume, for --eks"),
    ("--external-id", "ID", "external id that the role's trust asks for, for --eks"),
)


def add_options(way: Any, command: argparse.ArgumentParser) -> None:
    """``--eks`` among the ways in, and what belongs to it."""
    way.add_argument("--eks", metavar="CLUSTER", help="a cluster of EKS, by AWS credentials; needs --region")
    for option, metavar, words in _OPTIONS:
        command.add_argument(option, metavar=metavar, help=words)


def check(arguments: argparse.Namespace) -> None:
    """Leave with a usage error where options do not belong together."""
    given = [option for option, *_ in _OPTIONS if getattr(arguments, option[2:].replace("-", "_")) is not None]
    if arguments.eks is None and given:
        arguments.parser.error(f"{given[0]} goes with --eks")
    if arguments.eks is not None and arguments.region is None:
        arguments.parser.error("--eks needs --region")


def credentials(arguments: argparse.Namespace) -> Credentials:
    """Whom AWS is asked as; an emulator that the environment names is written down with it."""
    from auditor.bootstrap.clusters import Credentials  # noqa: PLC0415  (the command pays for what it uses)

    return Credentials(arguments.profile, arguments.role_arn, arguments.external_id, os.environ.get("AWS_ENDPOINT_URL"))
