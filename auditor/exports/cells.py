"""Cells of spreadsheets: text from a cloud is hostile, and a spreadsheet runs what starts like a formula."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(text: str) -> str:
    """The text, led by an apostrophe if a spreadsheet would take it for a formula, also after spaces.

    Source: the rule for CSV injection that testers of web applications use.
    """
    start = text.lstrip(" ")
    return f"'{text}" if start.startswith(FORMULA) or text.startswith(("\t", "\r", "\n")) else text
