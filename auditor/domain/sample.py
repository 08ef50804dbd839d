"""A sample of single resources as an auditor brings it: a list of native ids, or the table that the findings page hands out."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from auditor.domain.errors import ConfigurationError

LONGEST = 2048
MOST = 10_000
NAMED = 10
"""How many bad lines a refusal names one by one."""
FORMS = "Give one native id a line, or a CSV with a column resource"
_COLUMN = "resource"
_FORMULA = "=+-@"


class _Read(NamedTuple):
    line: int
    id: str
    wrong: str


def read_sample(text: str) -> tuple[str, ...]:
    """The native ids in a text, each once, in their order; nothing in it is passed over.

    A text is one id a line, where empty lines and those that begin with ``#`` say nothing, or a CSV with a column
    ``resource``, below one line of explanation at most, whatever a spreadsheet has put between the cells.

    Raises:
        ConfigurationError: Lines that cannot be ids, by number; or there are none, or too many.
    """
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    table = _table(lines)
    try:
        found = list(_plain(lines) if table is None else _cells(lines, *table))
    except csv.Error as error:
        raise ConfigurationError(f"not a table that can be read: {error}", advice=FORMS) from error
    bad = [one for one in found if one.wrong]
    if bad:
        named = "; ".join(f"line {one.line}: {one.wrong}" for one in bad[:NAMED])
        more = f"; and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
        raise ConfigurationError(
            f"{named}{more}",
            advice=f"{FORMS}; nothing of the sample was taken",
        )
    ids = tuple(dict.fromkeys(one.id for one in found))
    if not 0 < len(ids) <= MOST:
        raise ConfigurationError(
            f"the sample names {len(ids)} resources",
            advice=f"Name at least one and at most {MOST}; for more, narrow by control or source",
        )
    return ids


def _table(lines: Sequence[str]) -> tuple[int, str] | None:
    """Where the names of the columns stand and what parts them; none if this is no table.

    The first line may say what the list is; a single id a line has no second cell, so a heading alone is a table of one column.
    """
    for number, line in enumerate(lines[:2]):
        for mark in ",;\t":
            if _COLUMN in next(csv.reader([line], delimiter=mark), []):
                return number, mark
    return None


def _plain(lines: Sequence[str]) -> Iterator[_Read]:
    for number, line in enumerate(lines, 1):
        id_ = line.strip()
        if id_ and not id_.startswith("#"):
            yield _Read(number, id_, _wrong(id_))


def _cells(lines: Sequence[str], heading: int, mark: str) -> Iterator[_Read]:
    rows = csv.reader(lines[heading:], delimiter=mark)
    names = next(rows)
    column, begins = names.index(_COLUMN), rows.line_num
    for row in rows:  # a cell may go on over several lines: a row is named by its first
        line, begins = heading + begins + 1, rows.line_num
        if len(row) == len(names):
            id_ = _unquoted(row[column].strip())
            yield _Read(line, id_, _wrong(id_) if id_ else "no resource in it")
        elif any(cell.strip() for cell in row):
            yield _Read(line, "", f"{len(row)} cells below {len(names)} names")


def _unquoted(cell: str) -> str:
    """Without the apostrophe that keeps a spreadsheet from taking the cell for a formula."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip(" ").startswith(tuple(_FORMULA)) else cell


def _wrong(id_: str) -> str:
    if len(id_) > LONGEST:
        return f"longer than {LONGEST} signs"
    return "" if id_.isprintable() else "signs that cannot be printed"
