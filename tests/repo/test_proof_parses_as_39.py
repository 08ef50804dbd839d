"""The trust kernel keeps its promise to whoever receives a bundle: Python 3.9, the standard library, nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROOF = ROOT / "auditor" / "proof"
FILES = sorted(PROOF.glob("**/*.py"))
CLOCKS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter", "urandom", "random", "uuid4"}

pytestmark = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PROOF)))


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 9))


def imports_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


def test_a_file_of_the_kernel_parses_as_python_39(file: Path) -> None:
    tree = tree_of(file)
    assert not any(isinstance(node, ast.Match) for node in ast.walk(tree))
    futures = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert futures or len(tree.body) <= 1


def test_a_file_of_the_kernel_imports_relatively_or_from_the_standard_library(file: Path) -> None:
    for level, name in imports_of(tree_of(file)):
        assert level == 1 or (level == 0 and name.split(".")[0] in sys.stdlib_module_names), name


def test_a_file_of_the_kernel_shadows_no_module_of_the_standard_library(file: Path) -> None:
    # Run as a folder, its own directory comes first on the path.
    assert file.stem.startswith("__") or file.stem not in sys.stdlib_module_names


def test_a_file_of_the_kernel_asks_no_clock_and_no_chance(file: Path) -> None:
    asked = {node.attr for node in ast.walk(tree_of(file)) if isinstance(node, ast.Attribute)}
    assert not asked & CLOCKS


def test_a_file_of_the_kernel_uses_nothing_younger_than_39_while_it_runs(file: Path) -> None:
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Call):
            words = {keyword.arg for keyword in node.keywords}
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            assert not (name == "zip" and "strict" in words)
            assert not (name == "dataclass" and words & {"slots", "kw_only"})
        if isinstance(node, ast.ImportFrom) and node.module == "datetime":
            assert "UTC" not in {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module == "typing":
            assert not {alias.name for alias in node.names} & {
                "TypeAlias",
                "Self",
                "assert_never",
                "ParamSpec",
                "TypeGuard",
                "Never",
            }


def test_a_file_of_the_kernel_loads_in_a_fresh_interpreter_without_any_third_party(file: Path) -> None:
    inner = ".".join(file.relative_to(PROOF).with_suffix("").parts).removesuffix("__init__").rstrip(".")
    module = f"auditor.proof.{inner}".rstrip(".")
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); before = set(sys.modules); import {module}; "
        "tops = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(tops - set(sys.stdlib_module_names) - {'auditor'}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
