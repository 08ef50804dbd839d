"""The only door to boto3: an account as the pipeline may ask it, with the vendor's errors translated once.

Clients know declared operations only (``_models``), are made once per account, service and region, are safe to share by
threads, and go when others were used more lately or when their service is given up: fifty services in twenty regions
would fill a machine. An endpoint on loopback gets S3 Control requests without the account label that no resolver knows.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from threading import Lock
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import botocore
import botocore.config
import botocore.exceptions
from botocore.credentials import RefreshableCredentials
from botocore.signers import RequestSigner

from auditor.collectors.aws._actions import action_of
from auditor.collectors.aws._denials import denied_by
from auditor.collectors.aws._models import loader
from auditor.collectors.aws._session import USER_AGENT, Clients, clients, new_session
from auditor.collectors.aws._tls import share_roots, show_peers
from auditor.collectors.aws._wholeness import refuse_torn
from auditor.collectors.hearing import Ear, peer_of
from auditor.collectors.pace import BURST, COST, RATE, Bucket, LocalBucket, rate_key
from auditor.domain.calls import Hear, Heard, unheard
from auditor.domain.errors import CollectionError, WrongAccountError
from auditor.domain.ports import Caller, CallFailed, FailureKind
from auditor.domain.provider import host_of, providers_own, stand_in

__all__ = ["AwsCaller", "api_name", "connect", "enabled_regions", "loader", "switched_off", "translate"]

DENIED = frozenset(  # one word a code; a list of literals would be a page
    "AccessDenied AccessDeniedException UnauthorizedOperation AuthorizationError UnauthorizedException AuthFailure "
    "InvalidClientTokenId UnrecognizedClientException ExpiredToken ExpiredTokenException OptInRequired "
    "SignatureDoesNotMatch 403 Forbidden".split()
)
THROTTLED = frozenset(
    "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException RequestLimitExceeded "
    "TooManyRequestsException SlowDown BandwidthLimitExceeded ProvisionedThroughputExceededException 429 503".split()
)
NOT_ENABLED = " is not enabled"
"""What Macie says, as a denial, where it was never switched on: that is an answer, not a lost permission."""
PREPARE_TRIES = 30
HOME = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}


class AwsCaller:
    """One AWS account, asked as one identity. Satisfies ``domain.ports.Caller``; make it with ``connect``."""

    def __init__(
        self,
        session: Any,
        *,
        account: str,
        identity: str,
        endpoint_url: str | None,
        threads: int,
        bucket: Bucket,
        kept: Clients | None = None,
        met: Sequence[Heard] = (),
    ) -> None:
        self._session = session
        self._bucket = bucket
        self._endpoint_url = endpoint_url
        self._config = botocore.config.Config(
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=threads,
            connect_timeout=5,
            read_timeout=20,
            user_agent=USER_AGENT,
        )
        self._clients = clients() if kept is None else kept
        self._owner = object()  # two accounts never share a client, nor do two ways into one account
        self._making = Lock()
        self._calls: Counter[str] = Counter()
        self._lock = Lock()
        self._ear = Ear()
        self.account = account
        self.identity = identity
        self.partition = identity.split(":")[1] if identity.startswith("arn:") else "aws"
        self.home = HOME.get(self.partition, "us-east-1")
        self.endpoint = stand_in(endpoint_url, self.partition)
        for one in met:
            self._meet(one)

    def pages(
        self, operation: str, params: Mapping[str, Any], *, region: str, heard: Hear = unheard
    ) -> Iterator[Mapping[str, Any]]:
        """The answer page by page, without the response's metadata; see ``domain.ports.Caller``."""
        service, _, method = operation.partition(":")
        client = self._client(service, region)
        decode = _DECODE.get(operation, _unchanged)
        try:
            if client.can_paginate(method):
                answers = iter(client.get_paginator(method).paginate(**params))
            else:
                answers = _followed(client, method, params)
            for answer in answers:
                self._tell(heard)
                yield decode({name: value for name, value in answer.items() if name != "ResponseMetadata"})
        except botocore.exceptions.ParamValidationError:
            raise  # a declaration that the service model refuses: our bug, found by the contract suite
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError, ValueError, KeyError) as error:
            self._tell(heard)
            raise translate(error, self.action(operation)) from error

    def _tell(self, heard: Hear) -> None:
        """Hand on what was heard of the answer that this thread just got; of one that never came there is nothing."""
        last = self._ear.take()
        if last is not None:
            self._meet(last)
            heard(last)

    def _meet(self, one: Heard) -> None:
        """Remember the first host that is not the provider's own, whoever configured it: the source, a file, the environment."""
        if not self.endpoint and not (one.tls and providers_own(one.host, self.partition)):
            self.endpoint = one.host

    def prepare(self, operation: str, *, region: str) -> None:
        """Repeat the operation until its state is ``COMPLETE``, about half a minute at the most."""
        for attempt in range(PREPARE_TRIES):
            for answer in self.pages(operation, {}, region=region):
                if answer.get("State") == "COMPLETE":
                    return
            time.sleep(min(0.1 * 2**attempt, 1.5))
        raise CallFailed("NotReady", "error", action=self.action(operation))

    def calls(self) -> Mapping[str, int]:
        """Requests sent so far, retries included, by operation."""
        with self._lock:
            return dict(self._calls)

    def action(self, operation: str) -> str:
        """The IAM action that an operation needs."""
        service, _, method = operation.partition(":")
        return action_of(operation, api_name(service, method))

    def signed_identity(self, region: str, headers: Mapping[str, str], *, seconds: int) -> str:
        """A URL by which whoever holds it may ask STS once who we are, and nothing else. These headers must come along.

        Raises:
            CallFailed: There is nothing left to sign with.
        """
        sts = self._client("sts", region)
        with self._making:  # a signer is made of the session, which is not for many threads
            signer = RequestSigner(
                sts.meta.service_model.service_id,
                region,
                "sts",
                "v4",
                self._session.get_credentials(),
                self._session.get_component("event_emitter"),
            )
        url = f"{sts.meta.endpoint_url.rstrip('/')}/?Action=GetCallerIdentity&Version=2011-06-15"
        request = {"method": "GET", "url": url, "body": {}, "headers": dict(headers), "context": {}}
        try:
            return str(signer.generate_presigned_url(request, "GetCallerIdentity", expires_in=seconds))
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            raise translate(error, "sts:GetCallerIdentity") from error

    def release(self, service: str) -> None:
        """Let go of a service's clients and models; asking it again makes new ones."""
        self._clients.drop(lambda key: key[:2] == (self._owner, service))
        loader().forget(service)

    def _client(self, service: str, region: str) -> Any:
        key = (self._owner, service, region)
        client = self._clients.get(key)
        if client is not None:
            return client
        with self._making:  # sessions are not for many threads
            client = self._clients.get(key)
            if client is None:
                client = self._session.create_client(
                    service, region_name=region, endpoint_url=self._endpoint_url, config=self._config
                )
                share_roots(client)
                hear(client, self._ear)
                client.meta.events.register("before-send", self._before(region))
                client.meta.events.register("after-call", refuse_torn)
                if service == "s3control":
                    client.meta.events.register("before-sign.s3-control", _without_account_label)
                self._clients.put(key, client)
            return client

    def _before(self, region: str) -> Callable[..., None]:
        """What happens before each request, retries included: it waits for its turn and is counted."""

        def before(request: Any, event_name: str, **_: Any) -> None:
            del request
            service, operation = event_name.split(".", 2)[1:]
            wait = self._bucket.take(rate_key(self.account, region, service), COST.get(service, 1.0))
            if wait > 0:
                time.sleep(wait)
            with self._lock:
                self._calls[f"{service}:{operation}"] += 1

        return before


def connect(
    *,
    profile: str | None = None,
    role_arn: str | None = None,
    external_id: str | None = None,
    endpoint_url: str | None = None,
    expected_account: str | None = None,
    threads: int = 16,
    bucket: Bucket | None = None,
) -> AwsCaller:
    """The account behind these credentials, asserted against STS before anything can be asked.

    Raises:
        CollectionError: No credentials, or the vendor refuses them.
        WrongAccountError: They answer for another account than expected: evidence would be filed under a wrong name.
    """
    endpoint_url = endpoint_url or os.environ.get("AWS_ENDPOINT_URL")
    ear = Ear()
    try:
        session = new_session(profile)
        if role_arn:
            session = _assumed(session, role_arn, external_id, endpoint_url)
        sts = _sts(session, endpoint_url)
        hear(sts, ear)
        who = sts.get_caller_identity()
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        raise CollectionError(
            f"AWS does not accept these credentials: {_first_line(error)}",
            advice="Check `aws sts get-caller-identity` with the same profile, role and external id",
        ) from error
    if expected_account is not None and who["Account"] != expected_account:
        raise WrongAccountError(
            f"the credentials answer for account {who['Account']}, the source is {expected_account}",
            advice="Give the role ARN of the right account, or connect this account as a source of its own",
        )
    return AwsCaller(
        session,
        account=who["Account"],
        identity=who["Arn"],
        endpoint_url=endpoint_url,
        threads=threads,
        bucket=bucket or LocalBucket(RATE, BURST),
        met=[one for one in (ear.take(),) if one is not None],
    )


def hear(client: Any, ear: Ear) -> None:
    """Let an ear hear how each call of a client was answered, refusals included; of several tries the last."""

    def answered(http_response: Any, parsed: Any, **_: Any) -> None:
        told = parsed.get("ResponseMetadata", {})
        request_id = told.get("RequestId") or told.get("HTTPHeaders", {}).get("x-amzn-requestid", "")
        ear.last = Heard(str(request_id), host_of(http_response.url or ""), peer_of(http_response.raw))

    show_peers(client)
    client.meta.events.register("after-call", answered)


def translate(error: Exception, action: str) -> CallFailed:
    """A vendor's error as an answer the pipeline understands: its code, its kind, and the permission it is about."""
    if isinstance(error, botocore.exceptions.ClientError):
        code = str(error.response.get("Error", {}).get("Code") or "Unknown")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        kind: FailureKind = "denied" if code in DENIED else "throttled" if code in THROTTLED else "error"
        if kind == "error" and status == 403:
            kind = "denied"
        if code == "AccessDeniedException" and NOT_ENABLED in str(error):
            code, kind = "NotEnabled", "error"
        by = denied_by(str(error)) if kind == "denied" else ""
        wait = _retry_after(error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}))
        return CallFailed(code, kind, action=action, message=_first_line(error), by=by, retry_after=wait)
    return CallFailed(type(error).__name__, "error", action=action, message=_first_line(error))


def _retry_after(headers: Mapping[str, str]) -> float:
    """The seconds that a refusal asks us to wait; zero where it does not, or names a date."""
    told = headers.get("retry-after", "")
    return float(told) if told.isascii() and told.isdigit() else 0.0


@cache
def api_name(service: str, method: str) -> str:
    """The API's own spelling of a client method (``describe_db_instances`` is ``DescribeDBInstances``).

    Raises:
        KeyError: The service has no such operation.
    """
    model = loader().load_service_model(service, "service-2")
    names: dict[str, str] = {botocore.xform_name(name): name for name in model["operations"]}
    return names[method]


def _assumed(session: Any, role_arn: str, external_id: str | None, endpoint_url: str | None) -> Any:
    """A session under the role, renewed before it ends; the long-lived credentials are used for nothing else."""
    sts = _sts(session, endpoint_url)
    asked = {"RoleArn": role_arn, "RoleSessionName": "auditor"} | ({"ExternalId": external_id} if external_id else {})

    def fresh() -> dict[str, str]:
        got = sts.assume_role(**asked)["Credentials"]
        return {
            "access_key": got["AccessKeyId"],
            "secret_key": got["SecretAccessKey"],
            "token": got["SessionToken"],
            "expiry_time": got["Expiration"].isoformat(),
        }

    assumed = new_session()
    assumed._credentials = RefreshableCredentials.create_from_metadata(  # noqa: SLF001  (botocore offers no public way)
        fresh(), refresh_using=fresh, method="sts-assume-role"
    )
    return assumed


def _sts(session: Any, endpoint_url: str | None) -> Any:
    region = session.get_config_variable("region") or "us-east-1"
    config = botocore.config.Config(user_agent=USER_AGENT)
    return session.create_client("sts", region_name=region, endpoint_url=endpoint_url, config=config)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__


MARKERS: Mapping[str, tuple[str, str]] = {"list_web_acls": ("NextMarker", "NextMarker")}
"""Method -> the field that asks for the next page and the one that names it, where these are not ``NextToken``."""


def _followed(client: Any, method: str, params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The answers of an operation whose pages the client library does not know, though it hands out tokens (Athena's)."""
    asks, names = MARKERS.get(method, ("NextToken", "NextToken"))
    answer = getattr(client, method)(**params)
    yield answer
    while (token := answer.get(names)) and _takes(client, method, asks):
        answer = getattr(client, method)(**params, **{asks: token})
        if answer.get(names) == token:
            raise botocore.exceptions.PaginationError(message="the same token was handed out twice")
        yield answer


def _takes(client: Any, method: str, field: str) -> bool:
    asked = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape
    return asked is not None and field in asked.members


def _unchanged(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    return answer


def _credential_report(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    rows = csv.DictReader(io.StringIO(answer["Content"].decode("utf-8")))
    return {"Rows": [dict(row) for row in rows], "GeneratedTime": answer["GeneratedTime"]}


_DECODE: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "iam:get_credential_report": _credential_report,
}
"""Answers that carry a file inside: opened here, so that declarations see rows."""


def _without_account_label(request: Any, **_: Any) -> None:
    """Reach S3 Control on a loopback endpoint: ``<account>.127.0.0.1`` resolves nowhere. AWS's own hosts are left alone."""
    parts = urlsplit(request.url)
    label, host = [*(parts.hostname or "").split(".", 1), ""][:2]
    if label.isdigit() and len(label) == 12 and _loopback(host):
        netloc = host if parts.port is None else f"{host}:{parts.port}"
        request.url = urlunsplit(parts._replace(netloc=netloc))


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def enabled_regions(caller: Caller) -> tuple[str, ...]:
    """The regions that this account has switched on, by name.

    Raises:
        CollectionError: AWS does not say: name the regions instead.
    """
    try:
        pages = list(caller.pages("ec2:describe_regions", {}, region=caller.home))
    except CallFailed as failure:
        raise CollectionError(
            f"the enabled regions could not be listed ({failure.reason})",
            advice="Allow ec2:DescribeRegions, or name the regions with --region",
        ) from failure
    return tuple(sorted(region["RegionName"] for page in pages for region in page["Regions"]))


def switched_off(caller: AwsCaller) -> frozenset[str]:
    """The regions that AWS has and this account has not switched on; none where AWS does not say."""
    try:
        pages = list(caller.pages("ec2:describe_regions", {"AllRegions": True}, region=caller.home))
    except CallFailed:
        return frozenset()
    regions = [region for page in pages for region in page["Regions"]]
    return frozenset(one["RegionName"] for one in regions if one.get("OptInStatus") == "not-opted-in")
