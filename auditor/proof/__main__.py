"""The verifier as a program: ``python3 -I -S -B verify/ [--key VKEY] [--json]`` in the root of an unpacked bundle.

Exit 0: verified. 1: refused, with what and where. 2: unusable, nothing can be said. Runs as a folder beside the bundle's
manifest and, unchanged, as ``python -m auditor.proof BUNDLE`` of an installed package.
"""

from __future__ import annotations

import sys

sys.dont_write_bytecode = True  # or checking a bundle would add files to it

FOLDER = __file__.rpartition("/")[0] or "."
if not __package__:
    # Running a folder puts it first on the path, where a file of it could stand in for one of the standard library.
    sys.path[:] = [one for one in sys.path if one.rstrip("/") not in {FOLDER.rstrip("/"), "", "."}]

import argparse  # noqa: E402 - only now does the name mean the standard library
import importlib.util  # noqa: E402 - as above
from pathlib import Path  # noqa: E402 - as above

if not __package__:
    # Running a folder sets no package either, so relative imports would find nothing: the folder becomes package "verify".
    _spec = importlib.util.spec_from_file_location(
        "verify", f"{FOLDER}/__init__.py", submodule_search_locations=[FOLDER]
    )
    if _spec is None or _spec.loader is None:
        sys.exit(2)
    sys.modules["verify"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["verify"])
    sys.exit(importlib.import_module("verify.__main__").main())

from .bundle import verify  # noqa: E402 - needs the package registered above
from .note import NoteError, VerifierKey  # noqa: E402 - as above
from .report import UNUSABLE, Report  # noqa: E402 - as above


def main(arguments: list[str] | None = None) -> int:
    """Verify the bundle and print the report; gives the exit code."""
    parser = argparse.ArgumentParser(prog="verify", description="Verify an unpacked evidence bundle, offline.")
    parser.add_argument(
        "bundle", nargs="?", type=Path, help="its folder; default: the one that holds verify/, or this one"
    )
    parser.add_argument(
        "--key", help="the log's key as you got it by another way: name+hash+base64, or a file holding that"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    said = parser.parse_args(arguments)
    beside = Path(FOLDER).resolve().parent
    root = said.bundle or (beside if (beside / "manifest-sha256.txt").is_file() else Path())
    try:
        report = verify(root, None if said.key is None else _pinned(said.key))
    except (NoteError, OSError, UnicodeDecodeError) as error:
        report = Report(UNUSABLE, where="--key", what=str(error))
    print(report.as_json() if said.json else report.as_text())
    return report.exit_code


def _pinned(said: str) -> VerifierKey:
    text = said if said.count("+") >= 2 else Path(said).read_text(encoding="utf-8")
    return VerifierKey.parse(text)


if __name__ == "__main__":
    sys.exit(main())
