"""Certificates in Secrets by opt-in: their days are told, named Secrets alone are read, and no key of one is found anywhere."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from auditor.bootstrap import ask_permissions
from auditor.cli import main
from auditor.domain.scope import Scope
from auditor.settings import Settings
from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_objects import binding, ingress, thing
from tests.fixtures.database import Provisioned
from tests.integration.test_cluster_source import World, configured, signed_in, world
from tests.integration.test_scan_kubernetes import about, scanned
from tests.integration.test_secrets_stay_where_they_are import in_database, in_evidence, in_files, on_pages

__all__ = ["configured"]
CHECK = "k8s.certificate.not_expiring"
FRONT = "shop/Secret/front-tls"
READ = "/api/v1/namespaces/{namespace}/secrets/{name}"
ENDS = (datetime(2026, 10, 12, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: str
    key: str


def pair(ends: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "front.example")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(datetime(2026, 1, 1, tzinfo=UTC)).not_valid_after(ends)
    return Pair(
        made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode(),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )


def tls(name: str, *, crt: str, key: str = "", namespace: str = "shop") -> dict[str, Any]:
    data = {"tls.crt": crt, "tls.key": key}
    encoded = {part: base64.b64encode(value.encode()).decode() for part, value in data.items()}
    return thing("v1", "Secret", name, namespace, type="kubernetes.io/tls", data=encoded)


@pytest.fixture
def front() -> Pair:
    return pair(ENDS[0])


@pytest.fixture
def api(front: Pair) -> Iterator[ClusterApi]:
    with ClusterApi() as running:
        running.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        for name in ("front", "back"):
            running.put(ingress("shop", name, [f"{name}.example"], [f"{name}.example"]))
        running.put(tls("front-tls", crt=front.certificate, key=front.key))
        running.put(tls("back-tls", crt=front.certificate, key=front.key))
        yield running


@pytest.fixture
def shop(api: ClusterApi, provisioned: Provisioned, tmp_path: Path) -> Iterator[World]:
    with world(provisioned, api, tmp_path / "home", api.admin_token()) as made:
        yield made


def opted_in(made: World, *names: str) -> None:
    assert made.source.access is not None
    access = replace(made.source.access, certificates=names)
    with made.here.open_tenant(made.tenant) as books:
        books.name_certificates(made.source.id, access, by="ana", now=made.clock())
        made.source = books.source(made.source.id)


def test_nothing_is_read_by_default_and_the_reason_says_how_to_opt_in(shop: World) -> None:
    shop.api.reset_counts()
    shop.run()
    assert [path for verb, path in shop.api.counts() if verb == "get" and "secrets" in path] == []
    state, reason = shop.findings(CHECK)[FRONT]
    assert (state, "nobody opted in with auditor source certificates" in reason) == ("unknown", True)


def test_of_a_named_secret_the_days_are_told_and_no_other_is_read(shop: World) -> None:
    opted_in(shop, "shop/front-tls")
    shop.api.reset_counts()
    shop.run()
    assert shop.api.counts()["get", READ] == 1
    assert shop.findings(CHECK)[FRONT][0] == "fail"
    assert "2026-10-12" in shop.findings(CHECK)[FRONT][1]
    assert shop.findings(CHECK)["shop/Secret/back-tls"][0] == "unknown"
    fresh = pair(ENDS[1])
    shop.api.put(tls("front-tls", crt=fresh.certificate + pair(ENDS[1]).certificate, key=fresh.key))
    shop.run()
    assert shop.spans(CHECK, FRONT) == ["fail", "pass"]
    opted_in(shop)
    shop.run()
    assert shop.findings(CHECK)[FRONT][0] == "unknown", "what nobody names any more is not known any more"


def test_the_key_of_a_secret_that_was_read_is_found_nowhere(
    shop: World, front: Pair, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    broken = "canary-in-a-chain-that-cannot-be-read"
    shop.api.put(tls("broken-tls", crt=f"-----BEGIN CERTIFICATE-----\n{broken}\n", key=front.key))
    opted_in(shop, "shop/front-tls", "shop/broken-tls")
    config = shop.api.kubeconfig(tmp_path / "config")
    with caplog.at_level(logging.DEBUG):
        shop.run()
        _, lines = scanned(config, tmp_path, "--certificates", "shop/front-tls", "--certificates", "shop/broken-tls")
    assert about(lines, CHECK)[FRONT]["verdict"] in {"pass", "fail"}
    reason = shop.findings(CHECK)["shop/Secret/broken-tls"][1]
    assert "its tls.crt holds no certificate that can be read" in reason
    spine = cast("Any", shop)
    told = [*in_database(spine), *in_evidence(spine), *in_files(tmp_path / "home"), *on_pages(shop.here, spine)]
    told += [
        ("scan", (tmp_path / "scan.ndjson").read_text()),
        ("log", caplog.text),
        ("output", str(capfd.readouterr())),
    ]
    assert any("front-tls" in text for _, text in told), "the search finds what is there"
    line = front.key.splitlines()[1]
    for text in (line, broken, front.certificate.splitlines()[2]):
        inside = base64.b64encode(f"xx{text}".encode()).decode()[4:-4]
        forms = (text, inside, *(base64.b64encode(b"x" * n + text.encode()).decode()[4:-4] for n in range(3)))
        assert [where for where, shown in told if any(form in shown for form in forms)] == []


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (None, "there is no such Secret"),
        (thing("v1", "Secret", "front-tls", "shop", data={"password": "c2VjcmV0"}), "it holds no tls.crt"),
    ],
)
def test_a_secret_that_shows_no_certificate_is_unknown_with_its_reason(
    shop: World, secret: dict[str, Any] | None, said: str
) -> None:
    shop.api.delete("Secret", "front-tls", namespace="shop")
    if secret is not None:
        shop.api.put(secret)
    opted_in(shop, "shop/front-tls")
    shop.run()
    state, reason = shop.findings(CHECK)[FRONT]
    assert state == "unknown"
    assert said in reason


def test_the_printed_roles_are_enough_and_grant_each_secret_by_its_name(
    api: ClusterApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--certificates", "shop/front-tls"]
    assert main(["permissions", "kubernetes", *asked]) == 0
    whole, certificates = yaml.safe_load_all(capsys.readouterr().out)
    assert {verb for rule in whole["rules"] if "resources" in rule for verb in rule["verbs"]} == {"list", "watch"}
    assert [rule["verbs"] for rule in whole["rules"] if "secrets" in rule.get("resources", ())] == [["list"]]
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["front-tls"], "verbs": ["get"]}
    assert (certificates["kind"], certificates["metadata"]["namespace"]) == ("Role", "shop")
    assert certificates["rules"] == [rule]
    api.put_all([whole, certificates])
    api.put(binding("reads", f"ClusterRole/{whole['metadata']['name']}", "User/auditor"))
    config = api.kubeconfig(tmp_path / "config", token=api.token("auditor"))
    _, lines = scanned(config, tmp_path, *asked)
    refused = about(lines, CHECK)[FRONT]
    assert (refused["verdict"], "Forbidden get secrets/front-tls in shop" in refused["reason"]) == ("unknown", True)
    api.put(binding("dates", f"Role/{certificates['metadata']['name']}", "User/auditor", place="shop"))
    _, lines = scanned(config, tmp_path, *asked)
    assert about(lines, CHECK)[FRONT]["verdict"] != "unknown"
    assert [line["reason"] for line in lines if "Forbidden" in line["reason"]] == []


def test_roles_for_namespaces_alone_are_enough_for_a_scan_of_these(
    api: ClusterApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["permissions", "kubernetes", "--namespace", "shop"]) == 0
    roles = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [(one["kind"], one["metadata"].get("namespace")) for one in roles] == [
        ("ClusterRole", None),
        ("Role", "shop"),
    ]
    api.put_all(roles)
    api.put(binding("reads", "ClusterRole/auditor-reads", "User/auditor"))
    api.put(binding("reads", "Role/auditor-reads", "User/auditor", place="shop"))
    api.reset_counts()
    _, lines = scanned(api.kubeconfig(tmp_path / "config", token=api.token("auditor")), tmp_path, "--namespace", "shop")
    assert [line["reason"] for line in lines if "Forbidden" in line["reason"]] == []
    listed = {tuple(path.rsplit("/", 1)[-1:]) for verb, path in api.counts() if verb == "list"}
    granted = {(plural,) for one in roles for rule in one["rules"] for plural in rule.get("resources", ())}
    assert granted == listed


def test_pre_flight_asks_for_each_named_secret(shop: World) -> None:
    opted_in(shop, "shop/front-tls")
    caller = shop.here.caller(shop.source, threads=2)
    with ThreadPoolExecutor(2) as pool:
        tried = ask_permissions(caller, shop.here.library, Scope(), (), pool=pool, kind="kubernetes")
    assert [one.answer for one in tried if one.action == "get secrets/front-tls in shop"] == ["allowed"]
    assert [one.action for one in tried if one.action.startswith("get")] == [
        "get /version",
        "get secrets/front-tls in shop",
    ]


def test_an_operator_names_secrets_and_the_page_tells_which(
    api: ClusterApi, configured: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del configured
    here = ["--tenant", tmp_path.name]
    config = str(api.kubeconfig(tmp_path / "kubeconfig"))
    add = ["source", "add", "kubernetes", *here, "--name", "shop", "--kubeconfig", config]
    with pytest.raises(SystemExit) as left:
        main([*add, "--certificates", "front-tls"])
    assert left.value.code == 3
    assert main([*add, "--certificates", "shop/front-tls"]) == 0
    assert main(["source", "certificates", *here, "--source", "shop", "shop/front-tls", "shop/back-tls"]) == 0
    assert "next run on: shop/front-tls, shop/back-tls" in capsys.readouterr().out
    assert main(["source", "certificates", *here, "--source", "shop"]) == 0
    assert "next run on: none" in capsys.readouterr().out


def test_the_page_of_a_source_names_what_is_read(shop: World) -> None:
    opted_in(shop, "shop/front-tls")
    assert "<code>shop/front-tls</code>" in signed_in(shop).get(f"/sources/{shop.source.id}").text
