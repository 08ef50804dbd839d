"""Every requirement with the checks and duties that answer it, as one page: ``python -m controls.coverage_page``.

Pure over the library, so that a test can hold the page in the repository to the definitions it was made from.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from auditor.domain.control import Check, Duty, Library
from auditor.domain.framework import Framework, Requirement

PROVIDERS = {"aws": "AWS", "kubernetes": "Kubernetes"}
"""Columns."""
HEAD = """\
# What looks at each requirement

Made from the definitions by `make docs`; a test fails while it is out of date. A *primary* check tests the heart of a
requirement, a *supporting* one adds evidence. *Extended* checks run and are shown, but turn no requirement. A duty is what
people must do where no machine can look. A check that answers a requirement does not settle it: that is for your auditor.
"""


def page(library: Library) -> str:
    """The whole page as Markdown, the same for the same definitions."""
    return "\n".join([HEAD, *(line for framework in library.frameworks for line in _framework(library, framework))])


def _framework(library: Library, framework: Framework) -> Iterator[str]:
    answered = [_Answers(library, requirement) for requirement in framework.requirements]
    yield f"## {framework.name}"
    yield ""
    yield f"| of {len(answered)} requirements | {' | '.join(PROVIDERS.values())} | either |"
    yield "|---|---:|---:|---:|"
    for title, strengths, tiers in (
        ("have a primary core check", {"primary"}, {"core"}),
        ("have a core check", {"primary", "supporting"}, {"core"}),
        ("have a check", {"primary", "supporting"}, {"core", "extended"}),
    ):
        told = [[each.count(name, strengths, tiers) > 0 for each in answered] for name in PROVIDERS]
        counts = [sum(column) for column in told] + [sum(any(row) for row in zip(*told, strict=True))]
        yield f"| {title} | {' | '.join(str(count) for count in counts)} |"
    duties = sum(bool(each.duties) for each in answered)
    only = sum(bool(each.duties) and not each.checks for each in answered)
    yield ""
    yield (
        f"{duties} have a duty, {only} of them nothing else; "
        f"{sum(not each.checks and not each.duties for each in answered)} are answered otherwise, as their row says."
    )
    yield ""
    yield f"| requirement | {' | '.join(PROVIDERS.values())} | checks | duties |"
    yield "|---|---:|---:|---|---|"
    for each in answered:
        yield each.row()
    yield ""


class _Answers:
    """What answers one requirement."""

    def __init__(self, library: Library, requirement: Requirement) -> None:
        self.requirement = requirement
        named = (requirement.framework, requirement.id)
        self.checks: tuple[tuple[Check, str], ...] = tuple(
            (check, part.strength)
            for check in library.checks
            for part in check.mapped
            if (part.framework, part.requirement) == named
        )
        self.duties: tuple[Duty, ...] = tuple(
            duty
            for control in library.controls
            for duty in control.duties
            if requirement.id in duty.requirements.get(requirement.framework, ())
        )

    def count(self, provider: str, strengths: Iterable[str], tiers: Iterable[str]) -> int:
        """How many of its checks are the provider's, of these strengths and tiers."""
        return sum(
            check.provider == provider and strength in strengths and check.tier in tiers
            for check, strength in self.checks
        )

    def row(self) -> str:
        """The requirement's line of the table."""
        counts = [self.count(name, {"primary", "supporting"}, {"core", "extended"}) for name in PROVIDERS]
        duties = ", ".join(f"`{duty.id}`" for duty in self.duties)
        cells = (
            f"**{self.requirement.id}** {_cell(self.requirement.title)}",
            *(str(count) for count in counts),
            "<br>".join(self._checks()) or _cell(self.requirement.answered_by or "") or "none",
            duties or "none",
        )
        return f"| {' | '.join(cells)} |"

    def _checks(self) -> Iterator[str]:
        for title, strength, tier in (
            ("primary", "primary", "core"),
            ("supporting", "supporting", "core"),
            ("extended, primary", "primary", "extended"),
            ("extended, supporting", "supporting", "extended"),
        ):
            ids = sorted(check.id for check, is_of in self.checks if is_of == strength and check.tier == tier)
            if ids:
                yield f"{title}: {', '.join(f'`{id_}`' for id_ in ids)}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    from controls import shipped

    sys.stdout.write(page(shipped()))
