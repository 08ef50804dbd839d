"""What we tell people is true: commands exist, settings are those of the code, figures are the library's, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from auditor.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
TARGETS = frozenset(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
SETTINGS = frozenset(f"AUDITOR_{name.upper()}" for name in Settings.model_fields)

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
VARIABLE = re.compile(r"\bAUDITOR_[A-Z_]+\b")
COMPOSE = "docker compose run --rm web "


def commands() -> list[str]:
    """Every line of the README's shell blocks, parted at ``&&`` and ``|``, without comments and redirections."""
    lines = [line for language, block in FENCED.findall(README) if not language for line in block.splitlines()]
    parts = [part.strip() for line in lines for part in re.split(r"&&|\|", line.partition("#")[0])]
    return [part.partition(">")[0].strip() for part in parts if part]


def ours() -> list[str]:
    """The arguments of each ``auditor`` command, also of those that are given to a container."""
    told = [part.replace(COMPOSE, "auditor ") for part in commands()]
    return [part.partition(" ")[2] for part in told if part.split()[0].endswith("auditor")]


def named(page: Path) -> str:
    """A page as its path from the root."""
    return str(page.relative_to(ROOT))


def test_the_two_first_commands_stand_at_the_top() -> None:
    first = FENCED.search(README)
    assert first is not None
    assert [line.split("#")[0].strip() for line in first.group(2).splitlines()] == ["make demo", "make test"]
    assert README.index(first.group(0)) < 80


def test_the_readme_holds_commands_to_check() -> None:
    assert len(ours()) > 20


@pytest.mark.parametrize("arguments", ours())
def test_every_command_of_the_readme_is_one_of_the_command_line(arguments: str) -> None:
    import auditor.cli

    assert auditor.cli.parser().parse_args(shlex.split(arguments)).run


def test_every_make_target_of_the_readme_exists() -> None:
    inline = [told for told in INLINE.findall(FENCED.sub("", README)) if told.startswith("make ")]
    targets = {part.split()[1] for part in (*commands(), *inline) if part.startswith("make ")}
    assert {"demo", "test", "check"} <= targets <= TARGETS


def test_every_subcommand_named_in_prose_exists(capsys: pytest.CaptureFixture[str]) -> None:
    import auditor.cli

    prose = "\n".join(FENCED.sub("", page.read_text("utf-8")) for page in PAGES)
    told = {one for one in INLINE.findall(prose) if one.startswith("auditor ") and not one.startswith("auditor --")}
    assert told
    for one in sorted(told):
        verbs = [word for word in one.split()[1:] if not word.startswith("-")]
        with pytest.raises(SystemExit) as left:
            auditor.cli.parser().parse_args([*verbs, "--help"])
        assert left.value.code == 0, one
    capsys.readouterr()


def test_the_settings_table_names_exactly_the_settings_of_the_code() -> None:
    rows = re.findall(r"^\| `(AUDITOR_[A-Z_]+)` \|", README, re.MULTILINE)
    assert [name for name, count in Counter(rows).items() if count > 1] == []
    assert set(rows) == SETTINGS


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_variable_named_is_a_setting_or_is_read_by_the_code(page: Path) -> None:
    code = "\n".join(file.read_text("utf-8") for file in (ROOT / "auditor").rglob("*.py"))
    read = SETTINGS | set(re.findall(r"\"(AUDITOR_[A-Z_]+)\"", code))
    assert set(VARIABLE.findall(page.read_text("utf-8"))) <= read


def test_the_figures_of_the_readme_are_those_of_the_library() -> None:
    from controls import shipped

    library = shipped()
    tiers = Counter(check.tier for check in library.checks)
    size = {framework.id: len(framework.requirements) for framework in library.frameworks}
    services = len({check.id.partition(".")[0] for check in library.about("aws").checks})
    checked = sum(bool(control.checks) for control in library.controls)
    duties = sum(len(control.duties) for control in library.controls)
    for told in (
        f"| AWS services | {services}: ",
        f"| checks | {len(library.checks)}: {tiers['core']} core, {tiers['extended']} extended",
        f"| controls | {len(library.controls)}, ",
        f"; {checked} of them have checks in this release",
        f"HIPAA: {size['hipaa']} requirements",
        f"SOC 2: {size['soc2']} trust services criteria",
        f"The {duties} duties",
    ):
        assert told in README


def test_the_readme_says_how_many_requirements_have_primary_checks_of_their_own() -> None:
    from auditor.domain.rollup import rollup
    from controls import shipped

    own = {one.framework: sum(bool(part.checks) for part in one.requirements) for one in rollup(shipped(), {})}
    assert f"today {own['hipaa']} HIPAA and {own['soc2']} SOC 2 requirements" in README


def test_every_check_named_in_the_documents_exists() -> None:
    from controls import shipped

    known = set(shipped().check)
    services = {name.partition(".")[0] for name in known}
    for page in PAGES:
        told = {one for one in INLINE.findall(page.read_text("utf-8")) if one.count(".") == 2 and "/" not in one}
        assert {one for one in told if one.partition(".")[0] in services} <= known, page.name


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = FENCED.sub("", page.read_text("utf-8"))
    for link in LINK.findall(text):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_blank_was_left_to_fill_in(page: Path) -> None:
    assert "{{" not in page.read_text("utf-8")


def anchors(page: Path) -> set[str]:
    """The names that headings are linked by."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
