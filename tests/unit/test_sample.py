"""Samples as auditors bring them: lists, and tables that went through a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest

from auditor.domain.errors import ConfigurationError
from auditor.domain.sample import MOST, NAMED, read_sample
from auditor.exports.cells import safe_cell

ONE, TWO = "arn:aws:s3:::records", "arn:aws:iam::111122223333:role/a, b"


def test_a_list_is_read_line_by_line_and_each_id_once() -> None:
    assert read_sample(f"# drawn on Monday\n{ONE}\n\n  {TWO}\r\n{ONE}\n") == (ONE, TWO)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("head", [[], [["Findings; filter: state=fail; as of 2026-11-01T00:00:00Z; 3 rows"]]])
def test_a_table_is_read_by_its_column_whatever_a_spreadsheet_put_between_the_cells(
    mark: str, head: list[list[str]]
) -> None:
    rows = [*head, ["finding", "resource", "reason"], ["1", ONE, "two\nlines"], ["2", TWO, ""], ["3", ONE, ""]]
    written = io.StringIO()
    csv.writer(written, delimiter=mark).writerows(rows)
    assert read_sample(f"\ufeff{written.getvalue()}") == (ONE, TWO)


@pytest.mark.parametrize("id_", ["=1+1", "-x", "@role", "'quoted"])
def test_an_id_that_was_kept_from_being_a_formula_is_itself_again(id_: str) -> None:
    assert read_sample(f'"resource"\n"{safe_cell(id_)}"\n') == (id_,)


def test_bad_lines_are_named_by_number_and_no_other_is_taken() -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_sample(f"{ONE}\n\x1b[2Jhidden\n{'x' * 2049}\n{TWO}\n")
    assert "line 2: signs that cannot be printed" in str(refused.value)
    assert "line 3: longer than 2048 signs" in str(refused.value)
    assert "nothing of the sample was taken" in refused.value.advice()


def test_a_row_is_named_by_the_line_it_begins_in() -> None:
    table = f'about this list\nfinding,resource,reason\n1,{ONE},"two\nlines"\n2,,none\n3,{ONE}\n'
    with pytest.raises(ConfigurationError) as refused:
        read_sample(table)
    assert "line 5: no resource in it" in str(refused.value)
    assert "line 6: 2 cells below 3 names" in str(refused.value)


def test_of_very_many_bad_lines_some_are_named_and_the_rest_is_counted() -> None:
    with pytest.raises(ConfigurationError, match="and 15 more"):
        read_sample("\x07\n" * (NAMED + 15))


@pytest.mark.parametrize("text", ["", "# nothing\n\n", "resource\n"])
def test_an_empty_sample_is_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="names 0 resources"):
        read_sample(text)


def test_more_than_can_be_a_sample_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=f"names {MOST + 1} resources"):
        read_sample("\n".join(str(n) for n in range(MOST + 1)))
