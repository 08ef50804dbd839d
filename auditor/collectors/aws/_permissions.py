"""The least rights that collection needs, read from the declarations, in the forms people paste."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

from auditor.collectors.aws import resource_types
from auditor.collectors.aws._actions import action_of
from auditor.collectors.aws._client import api_name
from auditor.domain.resource_type import AnyType, ResourceType

ALWAYS = ("ec2:describe_regions",)
"""Asked by planning, for no resource type: which regions there are. Who we are (STS) needs no permission."""


def actions(kinds: Iterable[AnyType] | None = None) -> tuple[str, ...]:
    """Every IAM action that collecting these types calls, sorted."""
    declared = resource_types() if kinds is None else kinds
    operations = {
        operation
        for kind in declared
        if isinstance(kind, ResourceType)
        for read in kind.reads
        for operation in read.operations
    }
    return tuple(sorted({_action(operation) for operation in (*operations, *ALWAYS)}))


def _action(operation: str) -> str:
    service, _, method = operation.partition(":")
    return action_of(operation, api_name(service, method))


def policy(allowed: Sequence[str]) -> dict[str, object]:
    """The policy document: reads only, on everything, as listing calls know no narrower resource."""
    statement = {"Sid": "AuditorReads", "Effect": "Allow", "Action": list(allowed), "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def as_json(allowed: Sequence[str]) -> str:
    """For the console and the AWS command line."""
    return json.dumps(policy(allowed), indent=2)


def as_terraform(allowed: Sequence[str]) -> str:
    """A managed policy as a Terraform resource."""
    listed = "\n".join(f'        "{action}",' for action in allowed)
    return (
        'resource "aws_iam_policy" "auditor" {\n  name        = "auditor-reads"\n'
        '  description = "What Auditor reads"\n  policy = jsonencode({\n    Version = "2012-10-17"\n    Statement = [{\n'
        f'      Sid      = "AuditorReads"\n      Effect   = "Allow"\n      Resource = "*"\n      Action = [\n{listed}\n      ]\n'
        "    }]\n  })\n}"
    )


def as_cloudformation(allowed: Sequence[str]) -> str:
    """A managed policy as a CloudFormation template."""
    managed = {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {"ManagedPolicyName": "auditor-reads", "PolicyDocument": policy(allowed)},
    }
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"AuditorReads": managed}}, indent=2)


FORMS: Mapping[str, Callable[[Sequence[str]], str]] = {
    "json": as_json,
    "terraform": as_terraform,
    "cloudformation": as_cloudformation,
}
