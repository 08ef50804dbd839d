"""Which AWS operation an HTTP request means, read from botocore's own service models.

Three families of protocol name the operation in the request (a form field, a header, the path of RPC v2); the REST
services do not, so their method, path template, fixed query keys and required members are turned into a table and the
most specific row that fits wins. What enters is a request, what leaves is a frozen ``Call``; nothing here knows moto.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus

import botocore.session

from auditor.simulators.actions import action_of

_SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_RPC_PATH = re.compile(r"^/service/[^/]+/operation/(?P<operation>[^/]+)$")
_S3_CONTROL = "/v20180820/"
# Services whose signing name is not the name of their model; only the REST ones need the model.
_MODEL_OF = {
    "access-analyzer": "accessanalyzer",
    "elasticfilesystem": "efs",
    "es": "opensearch",
    "ses": "sesv2",
}
_NAME_OF = {"monitoring": "cloudwatch", "elasticloadbalancing": "elbv2", "tagging": "resourcegroupstaggingapi"}


@dataclass(frozen=True)
class Incoming:
    """One HTTP request as it came off the wire, its body already read."""

    method: str
    path: str
    """Still percent-encoded: an ARN in a path may carry slashes."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True)
class Call:
    """One AWS call: what is asked of which service, and how the answer must be worded."""

    service: str
    operation: str
    """As botocore names it (``GetBucketEncryption``); empty when nothing fits."""
    protocol: str
    """``query``, ``ec2``, ``json``, ``rest-xml``, ``rest-json`` or ``cbor``."""
    region: str
    resource: str = "*"
    """An ARN where the path names a bucket, else ``*``, as AWS words its refusals."""
    access_key: str = ""
    method: str = "POST"
    params: Mapping[str, str] = field(default_factory=dict)
    """Form fields, query parameters, path labels, or the scalars of a JSON body."""
    text: str = ""
    """Path, query and body in one line, for faults that aim at a single resource."""

    @property
    def name(self) -> str:
        """``service:Operation``, the key under which the call is counted."""
        return f"{self.service}:{self.operation or 'Unknown'}"

    @property
    def action(self) -> str:
        """The IAM action that permits the call."""
        return action_of(self.service, self.operation)


@dataclass(frozen=True)
class _Route:
    operation: str
    method: str
    path: re.Pattern[str]
    query: tuple[tuple[str, str], ...]
    required_query: tuple[str, ...]
    required_headers: tuple[str, ...]
    rank: tuple[int, ...]

    def labels(self, request: Incoming, query: Mapping[str, str]) -> dict[str, str] | None:
        found = self.path.match(request.path)
        if found is None or any(query.get(key) != value for key, value in self.query):
            return None
        if not all(key in query for key in self.required_query):
            return None
        if not all(key in request.headers for key in self.required_headers):
            return None
        return {key: unquote(value) for key, value in found.groupdict().items()}


def read_call(request: Incoming) -> Call:
    """The AWS call that a request means; its operation is empty when no model knows one."""
    access_key, region, service = _scope(request)
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    text = unquote_plus(f"{request.path}?{request.query} {request.body[:65536].decode('utf-8', 'replace')}")
    base = Call(_NAME_OF.get(service, service), "", "json", region, access_key=access_key, text=text)
    if target := request.headers.get("x-amz-target", ""):
        return replace(base, operation=target.rsplit(".", 1)[-1], params=_scalars(request.body))
    if rpc := _RPC_PATH.match(request.path):
        return replace(base, operation=rpc["operation"], protocol="cbor")
    form = _form(request) or query
    if "Action" in form:
        # STS is the only service whose form calls may come unsigned.
        base = replace(base, service=base.service or "sts", operation=form["Action"], params=form)
        return replace(base, protocol="ec2" if service == "ec2" else "query")
    return _rest_call(request, replace(base, service=service or "s3", method=request.method), query)


def _scope(request: Incoming) -> tuple[str, str, str]:
    found = _SCOPE.search(request.headers.get("authorization", "")) or _SCOPE.search(
        "Credential=" + dict(parse_qsl(request.query)).get("X-Amz-Credential", ""),
    )
    return (found[1], found[2], found[3].lower()) if found else ("", "us-east-1", "")


def _form(request: Incoming) -> dict[str, str]:
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _scalars(body: bytes) -> dict[str, str]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return {key: str(value) for key, value in document.items() if isinstance(value, str | int)}


def _rest_call(request: Incoming, base: Call, query: dict[str, str]) -> Call:
    service = base.service
    if service == "s3" and request.path.startswith(_S3_CONTROL):
        service = "s3control"
    elif service == "apigateway" and request.path.startswith("/v2/"):
        service = "apigatewayv2"
    model = _MODEL_OF.get(service, service)
    protocol, routes = _routes(model)
    for route in routes.get(request.method, ()):
        labels = route.labels(request, query)
        if labels is not None:
            resource = _bucket_arn(labels) if service == "s3" else "*"
            call = replace(base, service=model, operation=route.operation, protocol=protocol)
            return replace(call, resource=resource, params={**query, **labels})
    return replace(base, service=model, protocol=protocol, params=query)


def _bucket_arn(labels: Mapping[str, str]) -> str:
    if "Bucket" not in labels:
        return "*"
    return "arn:aws:s3:::" + "/".join(labels[part] for part in ("Bucket", "Key") if part in labels)


@lru_cache(maxsize=1)
def _session() -> Any:
    return botocore.session.get_session()


@lru_cache(maxsize=64)
def _routes(service: str) -> tuple[str, Mapping[str, tuple[_Route, ...]]]:
    """Every REST operation of a service by HTTP method, the most specific first."""
    if service not in _session().get_available_services():
        return "rest-json", {}
    model = _session().get_service_model(service)
    by_method: dict[str, list[_Route]] = {}
    for name in model.operation_names:
        route = _route(model.operation_model(name))
        by_method.setdefault(route.method, []).append(route)
    ordered = {method: tuple(sorted(rows, key=lambda row: row.rank)) for method, rows in by_method.items()}
    return str(model.metadata["protocol"]), ordered


def _route(operation: Any) -> _Route:
    uri, _, fixed = operation.http["requestUri"].partition("?")
    query = tuple(pair for pair in parse_qsl(fixed, keep_blank_values=True) if pair[0] != "x-id")
    shape = operation.input_shape
    required = [shape.members[name].serialization for name in shape.required_members] if shape else []
    in_query = tuple(row["name"] for row in required if row.get("location") == "querystring")
    in_headers = tuple(row["name"].lower() for row in required if row.get("location") == "header")
    literal = sum(1 for part in uri.split("/") if part and not part.startswith("{"))
    return _Route(
        operation=operation.name,
        method=operation.http["method"],
        path=_template(uri),
        query=query,
        required_query=in_query,
        required_headers=in_headers,
        rank=(
            -literal,
            -len(query) - len(in_query),
            -len(in_headers),
            uri.count("+}"),
            int(bool(operation.deprecated)),
        ),
    )


def _template(uri: str) -> re.Pattern[str]:
    def label(found: re.Match[str]) -> str:
        return f"(?P<{found[1]}>.+)" if found[2] else f"(?P<{found[1]}>[^/]+)"

    parts = re.split(r"(\{\w+\+?\})", uri.rstrip("/") or "/")
    pattern = "".join(
        re.sub(r"^\{(\w+)(\+?)\}$", label, part) if part.startswith("{") else re.escape(part) for part in parts
    )
    return re.compile(f"^{pattern}$" if pattern == "/" else f"^{pattern}/?$")
