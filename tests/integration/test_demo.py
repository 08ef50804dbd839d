"""``auditor demo`` as a newcomer starts it: pages within seconds, the same numbers everywhere, nothing left behind."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from auditor.cli.demo import SERVICES
from auditor.simulators import company
from tests.fixtures.spine import lines

DAYS = "2"


@dataclass(frozen=True)
class Demo:
    process: subprocess.Popen[str]
    base: str
    user: str
    password: str
    account: str
    cluster: str

    @contextmanager
    def signed_in(self) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=self.base, follow_redirects=True, timeout=30) as client:
            token = Fields.of(client.get("/sign-in").text)["form_token"]
            answer = client.post("/sign-in", data={"form_token": token, "email": self.user, "password": self.password})
            assert "Posture" in answer.text
            yield client


class Fields(HTMLParser):
    """The hidden fields of a page's forms, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "input" and told.get("type") == "hidden":
            self.found[str(told.get("name"))] = told.get("value") or ""

    @classmethod
    def of(cls, page: str) -> dict[str, str]:
        parser = cls()
        parser.feed(page)
        return parser.found


def read_until(process: subprocess.Popen[str], pattern: str, within: float) -> str:
    """What the process printed up to and including the line that matches."""
    assert process.stdout is not None
    printed, until = "", time.monotonic() + within
    while not re.search(pattern, printed):
        assert time.monotonic() < until, printed
        line = process.stdout.readline()
        assert line, f"the demo ended early:\n{printed}"
        printed += line
    return printed


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    folder = tempfile.mkdtemp(prefix="auditor-test-", dir="/tmp")
    Path(folder).chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "auditor.cli", "demo", "--days", DAYS, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": folder, "PYTHONUNBUFFERED": "1"},
    )
    try:
        printed = read_until(process, r"runs in \d+ s", within=120)
        children = children_of(process.pid)
        assert children
        base, user, password = (told(printed, f"{word} +") for word in ("open", "user", "password"))
        yield Demo(process, base, user, password, told(printed, "AWS_ENDPOINT_URL="), told(printed, "KUBECONFIG="))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0, "Ctrl-C is no failure"
        until = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in children):
            assert time.monotonic() < until, "a process outlived the demo"
            time.sleep(0.1)
        assert not list(Path(folder).glob("auditor-demo-*")), "the demo's folder is removed at its end"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
        shutil.rmtree(folder)


def told(printed: str, after: str) -> str:
    found = re.search(rf"{after}(\S+)", printed)
    assert found, f"the demo does not say {after.strip()}"
    return found[1]


def children_of(pid: int) -> list[str]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.split()


def test_posture_findings_csv_and_a_scan_tell_the_same_numbers(demo: Demo) -> None:
    with demo.signed_in() as client:
        exported = client.get("/findings.csv").text
        page = client.get("/").text
    rows = list(csv.DictReader(io.StringIO(exported.partition("\n")[2])))
    kept = {(row["check"], row["resource"]): row["state"] for row in rows}
    regions = [word for region in ("us-east-1", "us-west-2", "eu-central-1") for word in ("--region", region)]
    services = [word for service in company.SERVICES for word in ("--service", service)]
    environment = {
        "AWS_ENDPOINT_URL": demo.account,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    scanned = subprocess.run(
        [
            sys.executable,
            "-m",
            "auditor.cli",
            "scan",
            "aws",
            *regions,
            *services,
            "--format",
            "ndjson",
            "--allow-partial",
        ],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    seen = lines(scanned.stdout) + of_the_cluster(demo.cluster)
    cluster = next(row["account"] for row in rows if row["resource_type"].startswith("kubernetes."))
    kept = {
        (check, "/Cluster/meadowbrook" if resource == f"/Cluster/{cluster}" else resource): state
        for (check, resource), state in kept.items()
    }
    assert kept == {(line["check"], line["resource"]): line["verdict"] for line in seen}
    primary = primary_core("hipaa")
    counted = Counter(line["verdict"] for line in seen if line["check"] in primary)
    assert counted["fail"] > 0
    for state, word in (("fail", "Fail"), ("unknown", "Unknown"), ("pass", "Pass")):
        shown = re.search(rf'<dt>{word}</dt>\s*<dd[^>]*>\s*<a[^>]*href="[^"]*hipaa[^"]*"[^>]*>\s*([\d,]+)', page)
        assert shown, f"Posture shows no number for {state}"
        assert int(shown[1].replace(",", "")) == counted[state]


def of_the_cluster(config: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "auditor.cli", "scan", "kubernetes", "--kubeconfig", config]
    scanned = subprocess.run(
        [*command, "--format", "ndjson", "--allow-partial"], capture_output=True, text=True, check=True
    )
    return lines(scanned.stdout)


def primary_core(framework: str) -> set[str]:
    from controls import shipped

    return {
        check.id
        for check in shipped().only(SERVICES).checks
        for part in check.mapped
        if check.tier == "core" and part.strength == "primary" and part.framework == framework
    }


def test_the_demo_says_that_it_is_one(demo: Demo) -> None:
    with demo.signed_in() as client:
        page = client.get("/").text
    assert "Demo data" in page
    assert "Not a real provider" in page
