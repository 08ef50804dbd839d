from __future__ import annotations

import pytest

from auditor.domain.secrets import Hit, is_reference, scan, scan_named, secret_name

KEY_ID = "AKIA" + "ABCDEFGHIJKLMNOP"
TOKEN = "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0In0" + ".c2lnbmF0dXJl"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("DB_PASS", "password"),
        ("dbPassword", "password"),
        ("DBPassword", "password"),
        ("spring.datasource.password", "password"),
        ("PGPASSWORD", "password"),
        ("client-secret", "secret"),
        ("accessToken2", "token"),
        ("API_KEY", "api key"),
        ("apikey", "api key"),
        ("apiKey", "api key"),
        ("PRIVATE_KEY", "private key"),
        ("privatekey", "private key"),
        ("AWS_CREDENTIALS", "credential"),
    ],
)
def test_whole_words_of_a_name_match(name: str, pattern: str) -> None:
    assert secret_name(name) == pattern


@pytest.mark.parametrize(
    "name", ["COMPASS_URL", "BYPASS", "passenger", "tokenizer", "keyboard", "PUBLIC_KEY", "KEY", ""]
)
def test_parts_of_words_do_not_match(name: str) -> None:
    assert secret_name(name) is None


@pytest.mark.parametrize(
    "value",
    [
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db",
        "{{resolve:secretsmanager:db:SecretString:password}}",
        "${DB_PASS}",
        "$DB_PASS",
        "$(aws ssm get-parameter --name /db)",
        "{{ vault_password }}",
        "<your password>",
        "!Ref Password",
        "",
        "false",
        "****",
    ],
)
def test_what_points_elsewhere_or_holds_nothing_is_a_reference(value: str) -> None:
    assert is_reference(value)
    assert scan_named({"DB_PASS": value}) == ()


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ("DB_PASS=hunter2", "password"),
        ("export DB_PASS='hunter2'", "password"),
        ("export DB_PASS='$ecret1'", "password"),
        ('{"db": {"password": "hunter2"}}', "password"),
        ("password: hunter2", "password"),
        ("set-env api_key => abc123", "api key"),
        ('$token = "abc123"', "token"),
        ("mysql --user root --password hunter2", "password"),
        ("New-User -Password 'hunter2'", "password"),
        ('run.sh "--client-secret=abc123"', "secret"),
        ("OPTS=DB_PASS=hunter2", "password"),
        (f"aws configure set aws_access_key_id {KEY_ID}", "access key id"),
        (PEM, "private key block"),
        (f"curl -H 'Authorization: Bearer {TOKEN}'", "json web token"),
        ("DATABASE_URL=postgres://app:hunter2@db.internal/app", "connection string"),
        ("redis://:hunter2@cache:6379/0", "connection string"),
    ],
)
def test_a_secret_in_a_text_is_seen(line: str, pattern: str) -> None:
    assert scan(f"#!/bin/sh\n{line}\n") == (Hit(pattern, "line 2"),)


@pytest.mark.parametrize(
    "line",
    [
        "DB_PASS=$(aws secretsmanager get-secret-value --secret-id prod/db)",
        'TOKEN=`curl -X PUT "http://169.254.169.254/latest/api/token"`',
        'TOKEN=$(curl -H "X-aws-ec2-metadata-token-ttl-seconds: 21600" http://169.254.169.254/latest/api/token)',
        'curl -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/',
        "PASSWORD_FILE=/run/secrets/db",
        "SECRET_NAME=prod/db",
        "TOKEN_URL=https://login.example.com/token",
        "PASSWORD_LENGTH=24",
        "lock_passwd: false",
        "BYPASS=1 COMPASS_URL=https://maps.example.com",
        "postgres://app:${DB_PASS}@db.internal/app",
        "https://example.com:8443/path@2x",
        "-----BEGIN CERTIFICATE-----",
        "mysql --password --host db",
    ],
)
def test_a_text_without_a_secret_is_clean(line: str) -> None:
    assert scan(line) == ()


def test_a_number_may_be_a_secret_unless_its_name_measures() -> None:
    assert scan_named({"DB_PASS": "123456", "TOKEN_TTL": "3600"}) == (Hit("password", "DB_PASS"),)


def test_named_values_are_told_by_their_names_in_order() -> None:
    values = {"Z_TOKEN": "abc", "PLAIN": KEY_ID, "HOME": "/root"}
    assert scan_named(values) == (Hit("access key id", "PLAIN"), Hit("token", "Z_TOKEN"))


def test_no_hit_holds_the_value() -> None:
    assert "hunter2" not in repr(scan("DB_PASS=hunter2\npostgres://app:hunter2@db/app"))


@pytest.mark.timeout(60)  # ends at once, or not within the hour where a pattern is quadratic in the line
@pytest.mark.parametrize(
    "unit",
    ["a", "a.", "a=", "a:", '"', "token=", "--token ", "x://", "x://a:", "eyJaaaaaaaaa.", "AKIA", "token='"],
)
def test_a_line_made_to_cost_much_comes_to_its_end(unit: str) -> None:
    line = unit * (400_000 // len(unit))
    assert {hit.place for hit in scan(line)} <= {"line 1"}
