"""Warehouses, caches, tables, search domains, file systems and streams as their evidence shows them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auditor.collectors.aws import athena, dms, docdb, dynamodb, elasticache, glue, kinesis, opensearch, redshift
from auditor.collectors.aws.rds import clusters as relational_clusters
from auditor.domain.reading import Seen, Unseen

YES, NO = Seen(value=True), Seen(value=False)


def denied(action: str) -> dict[str, str]:
    return {"$unseen": f"AccessDenied {action}"}


def warehouse(**content: Any) -> redshift.Cluster:
    known = {
        "ClusterIdentifier": "facts",
        "PubliclyAccessible": False,
        "ParameterGroup": "group",
        "ParameterStatus": "in-sync",
        "logging": {"LoggingEnabled": True},
        "parameters": [{"ParameterName": "require_ssl", "ParameterValue": "true"}],
    }
    document: redshift.Cluster = redshift.cluster.describe({**known, **content})
    return document


def test_a_warehouse_tells_its_own_settings() -> None:
    seen = warehouse(Encrypted=True, AutomatedSnapshotRetentionPeriod=14)
    assert (seen.encrypted, seen.public, seen.logged, seen.refuses_plain) == (YES, NO, YES, YES)
    assert (seen.name, seen.retention_days) == (Seen("facts"), Seen(14))
    assert warehouse().retention_days == Seen(0)


def test_a_warehouse_that_is_not_told_to_be_private_was_not_seen() -> None:
    assert warehouse(PubliclyAccessible=None).public == Unseen("PubliclyAccessible is not in the answer")


def test_what_a_warehouse_logs_may_be_hidden_alone() -> None:
    seen = warehouse(logging=denied("redshift:DescribeLoggingStatus"))
    assert seen.logged == Unseen("AccessDenied redshift:DescribeLoggingStatus")
    assert seen.refuses_plain == YES


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"parameters": [{"ParameterName": "require_ssl", "ParameterValue": "false"}]}, NO),
        ({"ParameterStatus": "pending-reboot"}, Unseen("the parameter group is pending-reboot")),
        ({"parameters": None}, Unseen("no parameter group is named")),
        ({"parameters": []}, Unseen("require_ssl is not among the parameters")),
        ({"parameters": [{"$unseen": "Throttling"}]}, Unseen("Throttling")),
        (
            {"parameters": denied("redshift:DescribeClusterParameters")},
            Unseen("AccessDenied redshift:DescribeClusterParameters"),
        ),
    ],
)
def test_whether_plain_connections_are_refused_is_said_only_where_it_is_in_force(
    content: dict[str, Any], expected: object
) -> None:
    assert warehouse(**content).refuses_plain == expected


def test_another_parameter_that_awaits_a_restart_hides_nothing() -> None:
    status = [
        {"ParameterName": "require_ssl", "ParameterApplyStatus": "in-sync"},
        {"ParameterName": "wlm_json_configuration", "ParameterApplyStatus": "pending-reboot"},
    ]
    group = {"ParameterGroupName": "g", "ParameterApplyStatus": "pending-reboot", "ClusterParameterStatusList": status}
    (item,) = redshift.clusters({"Clusters": [{"ClusterIdentifier": "facts", "ClusterParameterGroups": [group]}]})
    assert (item["ParameterGroup"], item["ParameterStatus"]) == ("g", "in-sync")


def test_a_cache_tells_what_it_asks_for() -> None:
    bare: elasticache.ReplicationGroup = elasticache.replication_group.describe({"ReplicationGroupId": "pages"})
    assert (bare.encrypted, bare.transit_encrypted, bare.transit_mode) == (NO, NO, Seen(None))
    assert (bare.asks_for_token, bare.user_groups, bare.retention_days) == (NO, Seen(()), Seen(0))
    full: elasticache.ReplicationGroup = elasticache.replication_group.describe(
        {"ReplicationGroupId": "p", "TransitEncryptionMode": "preferred", "UserGroupIds": ["team"]}
    )
    assert (full.transit_mode, full.user_groups) == (Seen("preferred"), Seen(("team",)))


@pytest.mark.parametrize(
    ("encryption", "managed"),
    [
        ({"Status": "ENABLED", "SSEType": "KMS"}, YES),
        ({"Status": "DISABLED", "SSEType": "KMS"}, NO),
        ({"Status": "ENABLED", "SSEType": "AES256"}, NO),
        (None, NO),
    ],
)
def test_a_table_without_an_own_description_is_under_the_key_of_aws(encryption: object, managed: object) -> None:
    content = {"TableName": "orders", "table": {"Table": {"SSEDescription": encryption}}, "backups": {}}
    seen: dynamodb.Table = dynamodb.table.describe(content)
    assert (seen.managed_key, seen.rolls_back, seen.deletion_protected) == (managed, NO, NO)


def test_a_table_may_show_one_side_only() -> None:
    hidden = denied("dynamodb:DescribeTable")
    status = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}}
    seen: dynamodb.Table = dynamodb.table.describe(
        {"TableName": "orders", "table": hidden, "backups": {"ContinuousBackupsDescription": status}}
    )
    assert seen.rolls_back == YES
    assert seen.managed_key == seen.deletion_protected == Unseen("AccessDenied dynamodb:DescribeTable")


def search(policy: object = None, **status: Any) -> opensearch.Domain:
    content = {"DomainName": "logs", "status": {"DomainStatus": {"AccessPolicies": policy, **status}}}
    document: opensearch.Domain = opensearch.domain.describe(content)
    return document


def anyone(*ranges: str) -> str:
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "es:*", "Resource": "*"}
    if ranges:
        statement["Condition"] = {"IpAddress": {"aws:SourceIp": list(ranges)}}
    return json.dumps({"Statement": [statement]})


@pytest.mark.parametrize(
    ("policy", "open_to"),
    [
        (anyone(), ("statement 1",)),
        (anyone("0.0.0.0/0"), ("statement 1",)),
        (anyone("0.0.0.0/1", "128.0.0.0/1"), ("statement 1",)),
        (anyone("198.51.100.0/24"), ()),
    ],
)
def test_a_search_domain_is_open_unless_addresses_narrow_it(policy: str, open_to: tuple[str, ...]) -> None:
    assert (search(policy).has_policy, search(policy).open_statements) == (YES, Seen(open_to))


@pytest.mark.parametrize("policy", [None, ""])
def test_a_search_domain_without_a_policy_has_no_open_statement_and_no_policy(policy: object) -> None:
    assert (search(policy).has_policy, search(policy).open_statements) == (NO, Seen(()))


def test_a_policy_that_cannot_be_read_is_not_an_empty_one() -> None:
    assert search("{").open_statements == search("{").has_policy == Unseen("policy could not be read as JSON")


def test_a_search_domain_that_may_not_be_described_shows_its_name_only() -> None:
    seen: opensearch.Domain = opensearch.domain.describe({"DomainName": "logs", "status": denied("es:DescribeDomain")})
    hidden = Unseen("AccessDenied es:DescribeDomain")
    assert seen.name == "logs"
    assert {seen.encrypted, seen.nodes_encrypted, seen.https_only, seen.in_network, seen.open_statements} == {hidden}


def test_document_databases_and_relational_ones_share_a_listing_but_no_member() -> None:
    page = {"DBClusters": [{"Engine": engine} for engine in ("docdb", "neptune", "aurora-mysql")]}
    assert [item["Engine"] for item in docdb.clusters(page)] == ["docdb"]
    assert [item["Engine"] for item in relational_clusters(page)] == ["aurora-mysql"]


def test_a_document_database_tells_encryption_and_backups_apart() -> None:
    seen: docdb.Cluster = docdb.cluster.describe({"DBClusterIdentifier": "notes", "BackupRetentionPeriod": 7})
    assert (seen.encrypted, seen.retention_days) == (NO, Seen(7))


def test_a_migration_host_that_is_not_told_to_be_private_was_not_seen() -> None:
    seen: dms.ReplicationInstance = dms.replication_instance.describe({"ReplicationInstanceIdentifier": "move"})
    assert seen.public == Unseen("PubliclyAccessible is not in the answer")


def test_a_stream_without_an_encryption_type_is_not_encrypted() -> None:
    seen: kinesis.Stream = kinesis.stream.describe(
        {"StreamName": "clicks", "summary": {"StreamDescriptionSummary": {}}}
    )
    assert seen.encryption == Seen("NONE")


@pytest.mark.parametrize(
    ("configuration", "encrypted"),
    [
        ({"ResultConfiguration": {"EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}}}, YES),
        ({"ManagedQueryResultsConfiguration": {"Enabled": True}}, YES),
        ({"ManagedQueryResultsConfiguration": {"Enabled": False}}, NO),
        ({}, NO),
    ],
)
def test_results_are_encrypted_by_a_setting_or_where_athena_keeps_them(
    configuration: object, encrypted: object
) -> None:
    content = {"Name": "primary", "configuration": {"WorkGroup": {"Configuration": configuration}}}
    seen: athena.WorkGroup = athena.workgroup.describe(content)
    assert (seen.state, seen.results_encrypted, seen.enforced) == (Seen("ENABLED"), encrypted, NO)


@pytest.mark.parametrize(
    ("mode", "encrypted"), [("SSE-KMS", YES), ("SSE-KMS-WITH-SERVICE-ROLE", YES), ("DISABLED", NO)]
)
def test_a_catalogue_is_encrypted_under_a_key_of_either_kind(mode: str, encrypted: object) -> None:
    settings = {"DataCatalogEncryptionSettings": {"EncryptionAtRest": {"CatalogEncryptionMode": mode}}}
    seen: glue.Catalog = glue.catalog.describe({"settings": settings, "databases": [{"Name": "default"}]})
    assert (seen.empty, seen.metadata_encrypted, seen.passwords_encrypted) == (False, encrypted, NO)


@pytest.mark.parametrize(
    ("databases", "empty"), [([], True), ([{"$unseen": "Throttling"}], False), (denied("glue:GetDatabases"), False)]
)
def test_a_catalogue_is_empty_only_if_its_whole_list_was_seen(databases: object, empty: bool) -> None:
    seen: glue.Catalog = glue.catalog.describe({"settings": {}, "databases": databases})
    assert seen.empty is empty
