"""HTTP and WebSocket APIs as their evidence shows them."""

from __future__ import annotations

from typing import Any

from auditor.collectors.aws.apigatewayv2 import Api, api
from auditor.domain.reading import Seen, Unseen


def described(stages: Any) -> Api:
    document: Api = api.describe({"ApiId": "h1", "Name": "calls", "ProtocolType": "HTTP", "stages": stages})
    return document


def test_a_stage_without_a_log_is_silent() -> None:
    loud = {"StageName": "live", "AccessLogSettings": {"DestinationArn": "arn:logs"}}
    seen = described([loud, {"StageName": "$default"}, {"StageName": "test", "AccessLogSettings": {}}])
    assert seen.silent_stages == ("$default", "test")
    assert described([loud]).silent_stages == ()


def test_an_api_without_stages_is_told_apart_from_one_we_may_not_read() -> None:
    assert described([]).has_stages == Seen(value=False)
    hidden = described({"$unseen": "denied"})
    assert hidden.has_stages == Unseen("denied")
    assert hidden.silent_stages == (Unseen("denied"),)
