"""What an operator types on the first day, while ``auditor up`` runs; and what is said when it cannot work."""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from auditor.cli import main, parser
from auditor.simulators.aws import ACCOUNT, AwsEmulator
from auditor.store import embedded
from tests.fixtures.database import passable_folder
from tests.fixtures.processes import Commands, Outcome, Running, commands, eventually, processes_over
from tests.fixtures.redis_server import free_port

PASSWORD = "correct horse battery"
NOWHERE = "postgresql://nobody@127.0.0.1:1/auditor"


class First:
    """An installation on its first day: up, one person, one source."""

    def __init__(self, auditor: Commands, up: Running, home: Path, port: int) -> None:
        self.auditor = auditor
        self.up = up
        self.home = home
        self.port = port

    def browser(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False)

    def sign_in(self, browser: httpx.Client, email: str, password: str) -> int:
        """As the form does it; gives the status."""
        token = browser.get("/sign-in").text.partition('name="form_token" value="')[2].partition('"')[0]
        form = {"email": email, "password": password, "form_token": token}
        return browser.post("/sign-in", data=form).status_code

    def still_up(self) -> bool:
        with self.browser() as browser:
            return self.up.alive() and bool(processes_over(self.home)) and browser.get("/readyz").status_code == 200


@contextmanager
def first_day(folder: Path, account: AwsEmulator) -> Iterator[First]:
    base, port = passable_folder(), free_port()
    variables = account.environment() | {
        "AUDITOR_HOME": str(base / "home"),
        "AUDITOR_PORT": str(port),
        "AUDITOR_BASE_URL": f"http://127.0.0.1:{port}",
    }
    try:
        with commands(folder, **variables) as auditor:
            up = auditor.start("up")
            eventually(lambda: "Auditor is up" in up.said() or not up.alive(), told=up.said)
            auditor.ok("user", "add", "ana@example.org", AUDITOR_PASSWORD=PASSWORD)
            auditor.ok("source", "add", "aws", "--name", "production", "--region", "us-east-1")
            here = First(auditor, up, base / "home", port)
            yield here
            assert here.still_up(), up.said()
            assert "Traceback" not in up.said(), up.said()
            assert up.terminate() == 0
            assert not processes_over(base)
    finally:
        embedded.stop(base / "home")
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[First]:
    with AwsEmulator() as account, first_day(tmp_path_factory.mktemp("first"), account) as made:
        account.client("s3").create_bucket(Bucket="charts")
        yield made


class Here:
    """The same commands inside this process, for what needs no process of its own."""

    def __init__(self, first: First, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        for name, value in first.auditor.environment.items():
            if name.startswith(("AUDITOR_", "AWS_")):
                monkeypatch.setenv(name, value)

    def run(self, *words: str) -> Outcome:
        code = main(words)
        shown = self._capsys.readouterr()
        return Outcome(code, shown.out, shown.err)


@pytest.fixture
def inside(here: First, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    return Here(here, monkeypatch, capsys)


def refused(outcome: Outcome, *words: str) -> None:
    """A sentence and advice, exit code 2, no traceback."""
    assert outcome.code == 2, outcome
    assert outcome.err.startswith("auditor: ")
    assert "Traceback" not in outcome.err
    assert not outcome.err.rstrip().endswith("..")
    for word in words:
        assert word in outcome.err, outcome.err


def test_who_was_added_while_it_runs_may_sign_in_and_the_server_stays(here: First) -> None:
    assert here.still_up()
    with here.browser() as browser:
        assert here.sign_in(browser, "ana@example.org", "something else") == 401
        assert here.sign_in(browser, "ana@example.org", PASSWORD) == 303
        assert "production" in browser.get("/").text


@pytest.mark.parametrize("password", ["", "short"])
def test_a_password_too_short_is_refused_with_what_to_set(
    inside: Here, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv("AUDITOR_PASSWORD", password)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    refused(inside.run("user", "add", "bob@example.org"), "at least 12 characters", "AUDITOR_PASSWORD")


def test_a_connected_account_answers_and_is_listed_as_no_real_one(here: First, inside: Here) -> None:
    (line,) = inside.run("source", "list").out.splitlines()
    assert line.startswith("production")
    assert ACCOUNT in line
    assert "1 regions" in line
    assert "not a real provider" in line
    tested = here.auditor.ok("source", "test", "--source", "production")
    assert f"account {ACCOUNT}, asked as arn:aws:" in tested
    assert re.search(r"^[1-9]\d* of \d+ allowed", tested, re.MULTILINE)
    told = json.loads(here.auditor.ok("source", "test", "--source", "production", "--format", "json"))
    assert {"action": "s3:ListAllMyBuckets", "region": "us-east-1", "answer": "allowed", "by": "", "detail": ""} in told


def test_a_source_is_connected_once_and_found_by_its_name_alone(here: First, inside: Here) -> None:
    refused(inside.run("source", "add", "aws"), ACCOUNT, "already")
    refused(inside.run("source", "test", "--source", "staging"), "staging", "There are: production")
    refused(inside.run("run", "--tenant", "acme", "--source", "production"), "acme", "auditor user add")
    assert here.still_up()


def test_a_run_that_is_waited_for_ends_with_its_counts(here: First) -> None:
    ended = here.auditor.run("run", "--source", "production", "--wait")
    assert ended.code == 0, ended
    last = ended.out.splitlines()[-1]
    assert last.startswith("done: ")
    counts = {word: int(number) for number, word in (part.split(" ") for part in last[6:].split(", "))}
    assert counts["listed"] == counts["judged"] + counts["held"] + counts["excluded"] > 0
    assert counts["fail"] > 0


def test_a_webhook_into_a_private_network_needs_the_operators_word(here: First, inside: Here) -> None:
    url = "http://127.0.0.1:9/hook"
    refused(inside.run("webhook", "add", url), "127.0.0.1", "AUDITOR_EGRESS_ALLOW")
    allowed = here.auditor.ok("webhook", "add", url, AUDITOR_EGRESS_ALLOW="127.0.0.0/8")
    assert allowed.startswith("secret: whsec_")


def test_a_second_one_on_the_same_port_leaves_and_the_first_goes_on(here: First) -> None:
    refused(here.auditor.run("up"), str(here.port), "AUDITOR_PORT")
    assert here.still_up()


@pytest.mark.parametrize(
    ("words", "variables", "said"),
    [
        (("web",), {}, ("AUDITOR_BROKER_URL", "auditor up")),
        (("up",), {"AUDITOR_PORT": "web"}, ("AUDITOR_PORT", "auditor up --help")),
        (("user", "add", "a@example.org"), {"AUDITOR_DATABASE_URL": NOWHERE}, ("AUDITOR_CLAIM_DATABASE_URL",)),
        (
            ("user", "add", "a@example.org"),
            {"AUDITOR_DATABASE_URL": NOWHERE, "AUDITOR_CLAIM_DATABASE_URL": NOWHERE},
            ("AUDITOR_DATABASE_URL cannot be used", "refused"),
        ),
        (
            ("worker",),
            {
                "AUDITOR_DATABASE_URL": "x",
                "AUDITOR_CLAIM_DATABASE_URL": "x",
                "AUDITOR_BROKER_URL": "redis://127.0.0.1:1",
            },
            ("AUDITOR_DATABASE_URL cannot be used", "no PostgreSQL URL"),
        ),
        (("migrate",), {"AUDITOR_MIGRATE_DATABASE_URL": NOWHERE}, ("AUDITOR_MIGRATE_DATABASE_URL cannot be used",)),
        (("source", "list"), {"AUDITOR_HOME": "/etc/hostname/auditor"}, ("/etc/hostname",)),
    ],
)
def test_settings_that_cannot_work_are_named_and_explained(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    variables: dict[str, str],
    said: tuple[str, ...],
) -> None:
    given = {"AUDITOR_HOME": str(tmp_path), "AUDITOR_PASSWORD": PASSWORD} | variables
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    code = main(words)
    shown = capsys.readouterr()
    refused(Outcome(code, shown.out, shown.err), *said)


@pytest.mark.parametrize(
    "words",
    [(), ("audit",), ("worker", "--queues", "letters"), ("source", "add"), ("run",), ("user", "add", "--role", "king")],
)
def test_a_command_that_cannot_be_understood_leaves_with_3_and_shows_the_usage(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 3
    shown = capsys.readouterr().err
    assert "usage: auditor" in shown
    assert "--help" in shown


def every_command() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []

    def walk(one: argparse.ArgumentParser, words: tuple[str, ...]) -> None:
        found.append(words)
        for action in one._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, child in action.choices.items():
                    walk(child, (*words, name))

    walk(parser(), ())
    return found


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_explains_itself_with_examples(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([*words, "--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert "examples:\n" in shown
    assert f"  auditor {words[0] if words else 'demo'}" in shown.split("examples:\n")[1]


@pytest.mark.parametrize(
    "words", [["--help"], ["scan", "aws", "--help"], ["up", "--help"], ["source", "add", "--help"]]
)
def test_help_is_quick_because_nothing_heavy_is_imported(words: list[str]) -> None:
    heavy = ["flask", "celery", "kombu", "redis", "sqlalchemy", "psycopg", "boto3", "botocore", "httpx", "moto"]
    program = f"""
import json, sys
from auditor.cli import main
try:
    main({words!r})
except SystemExit as left:
    print(json.dumps([left.code, [name for name in {heavy!r} if name in sys.modules]]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]
