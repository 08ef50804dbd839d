from __future__ import annotations

import base64

from auditor.collectors.aws._variables import scan_variables
from auditor.collectors.aws.ec2_instances import scan_user_data
from auditor.domain.redaction import Redaction, redactions
from auditor.domain.secrets import PATTERNS_VERSION


def test_what_projections_took_out_is_listed_with_path_place_and_kind() -> None:
    script = base64.b64encode(b"#!/bin/sh\nexport DB_PASSWORD=hunter2\n").decode()
    content = {
        "listed": {"Name": "web"},
        "user_data": scan_user_data({"UserData": {"Value": script}}),
        "containers": [{"name": "a"}, {"variables": scan_variables([("API_TOKEN", "abc123"), ("LEVEL", "info")])}],
    }
    assert redactions(content) == (
        Redaction("containers[1].variables", "API_TOKEN", "token", PATTERNS_VERSION),
        Redaction("user_data", "line 2", "password", PATTERNS_VERSION),
    )
    assert "hunter2" not in repr(content)


def test_evidence_without_marks_lists_nothing() -> None:
    assert redactions({"listed": {"hits": [1], "Name": "web"}, "scan": {"patterns_version": 1, "hits": []}}) == ()
