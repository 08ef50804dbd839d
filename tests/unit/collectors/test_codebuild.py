"""CodeBuild projects as their answers show them."""

from __future__ import annotations

import json
from typing import Any

from auditor.collectors.aws.codebuild import project, projects, scan_project
from auditor.domain.projection import plain
from auditor.domain.reading import Seen, Unseen


def answer(*variables: dict[str, str]) -> dict[str, Any]:
    return {"projects": [{"name": "site", "environment": {"environmentVariables": list(variables)}}]}


def hits(*variables: dict[str, str]) -> list[str]:
    return [hit["place"] for hit in scan_project(answer(*variables))["hits"]]


def test_listed_names_become_projects() -> None:
    assert list(projects({"projects": ["site"]})) == [{"name": "site"}]


def test_a_plain_variable_with_a_secret_name_is_told_without_its_value() -> None:
    told = plain(scan_project(answer({"name": "GITHUB_TOKEN", "value": "correct-horse", "type": "PLAINTEXT"})))
    mark = {"redacted": True, "len_bucket": 16}
    assert told["hits"] == [{"pattern": "token", "place": "GITHUB_TOKEN", "value": mark}]
    assert "correct-horse" not in json.dumps(told)


def test_a_variable_without_a_type_is_plain() -> None:
    assert hits({"name": "API_KEY", "value": "correct-horse"}) == ["API_KEY"]


def test_variables_that_name_a_store_are_no_secrets() -> None:
    assert hits({"name": "TOKEN", "value": "site/token", "type": "SECRETS_MANAGER"}) == []
    assert hits({"name": "TOKEN", "value": "/site/token", "type": "PARAMETER_STORE"}) == []


def test_a_name_that_stands_twice_is_scanned_twice() -> None:
    assert hits({"name": "TOKEN", "value": "correct-horse"}, {"name": "TOKEN", "value": ""}) == ["TOKEN"]


def test_a_project_that_is_gone_was_not_seen() -> None:
    seen = project.describe({"name": "site", "variables": scan_project({"projects": [], "projectsNotFound": ["site"]})})
    assert seen.secrets == Unseen("NotFound codebuild:BatchGetProjects")


def test_a_project_without_variables_holds_no_secret() -> None:
    seen = project.describe({"name": "site", "variables": scan_project({"projects": [{"name": "site"}]})})
    assert seen.secrets == Seen(())
