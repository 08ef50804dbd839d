# ruff: noqa: INP001  (a script of the image's build, no package)
"""The part of ``requirements.lock`` that the image needs: what the product itself depends on, hashes included.

The lock holds every extra, test tools too; its ``# via`` lines say who asked for each package, so the part that the
project's own dependencies reach can be cut out without asking anybody. ``python deploy/runtime_lock.py > runtime.lock``
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def entries(lock: str) -> dict[str, str]:
    """Each package's lines, by name."""
    found: dict[str, str] = {}
    name = ""
    for line in lock.splitlines(keepends=True):
        if start := _NAME.match(line):
            name = normal(start.group())
            found[name] = ""
        if name:
            found[name] += line
    return found


def asked_by(entry: str) -> set[str]:
    """Who asked for a package, after its ``# via`` lines."""
    comments = [line.strip().lstrip("#").strip() for line in entry.splitlines() if line.strip().startswith("#")]
    names = [comment.removeprefix("via").strip() for comment in comments]
    return {normal(start.group()) for name in names if (start := _NAME.match(name))}


def runtime(lock: str, project: str) -> str:
    """The lines of the lock that the project's own dependencies reach.

    Raises:
        KeyError: A dependency of the project is not in the lock.
    """
    packages = entries(lock)
    asked = {name: asked_by(entry) for name, entry in packages.items()}
    wanted: set[str] = set()
    new = {
        normal(start.group())
        for text in tomllib.loads(project)["project"]["dependencies"]
        if (start := _NAME.match(text)) is not None
    }
    while new:
        wanted |= new
        new = {name for name, by in asked.items() if by & wanted} - wanted
    return "".join(packages[name] for name in sorted(wanted))


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[1]
    sys.stdout.write(runtime((root / "requirements.lock").read_text(), (root / "pyproject.toml").read_text()))
