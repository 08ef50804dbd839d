"""Static pages: text escaped once, one place where a page gets its frame. No script, no style from elsewhere, nothing to load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """\
:root{color-scheme:light dark;--ink:#1c2530;--paper:#fff;--line:#c4ccd6;--link:#0b4f8a;--edge:#8a5a00;--note:#fff8ea}
@media (prefers-color-scheme:dark){:root{--ink:#e3e8ee;--paper:#14191f;--line:#3d4753;--link:#8cc4ff;--edge:#d9a441;--note:#2a2314}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;max-width:72rem;padding:1rem 1.5rem 4rem;overflow-wrap:anywhere}
a{color:var(--link)}a:focus-visible,.wide:focus-visible{outline:3px solid var(--link);outline-offset:2px}
h1{font-size:1.6rem;line-height:1.25}h2{font-size:1.2rem;margin-top:2rem}
.wide{overflow-x:auto;margin:1rem 0}table{border-collapse:collapse;width:100%}caption{text-align:left;font-weight:600;padding:.25rem .5rem}
th,td{border-bottom:1px solid var(--line);padding:.35rem .5rem;text-align:left;vertical-align:top;min-width:4.5rem}td:first-child{min-width:9rem}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;min-width:0;overflow-wrap:normal}
time{white-space:nowrap}code{font:0.875em ui-monospace,monospace}
.limits{border-left:4px solid var(--edge);padding:.25rem 1rem;background:var(--note);white-space:pre-wrap}
.skip{position:absolute;left:-999rem}.skip:focus{left:1rem;background:var(--paper);padding:.5rem}
@media (max-width:40rem){body{padding:.75rem .75rem 3rem}table{min-width:60rem}}
@media print{:root{--ink:#000;--paper:#fff;--note:#fff;--link:#000}body{max-width:none;padding:0;font-size:10pt}nav,.skip{display:none}.wide{overflow:visible}tr{break-inside:avoid}}
"""


class Markup(str):
    """HTML that was made here; any other text is escaped when it meets it."""

    __slots__ = ()


def text(value: object) -> Markup:
    """Anything as text that a browser shows as it stands."""
    return value if isinstance(value, Markup) else Markup(escape(str(value)))


def tag(name: str, *inside: object, **attributes: str) -> Markup:
    """An element; ``class_`` and ``for_`` lose their underscore."""
    told = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{told}>{''.join(text(one) for one in inside)}</{name}>")


def link(href: str, words: object) -> Markup:
    """A link to a file of the bundle."""
    return tag("a", words, href=href)


def table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: frozenset[int] = frozenset()
) -> Iterable[str]:
    """A table row by row; columns in ``numbers`` are set to the right."""
    # A table wider than a phone scrolls by itself, also by keyboard; the page does not.
    yield f'<div class="wide" role="region" tabindex="0" aria-label="{escape(caption)}"><table>{tag("caption", caption)}<thead><tr>'
    for position, head in enumerate(heads):
        kind = {"class_": "n"} if position in numbers else {}
        yield tag("th", head, scope="col", **kind)
    yield "</tr></thead><tbody>\n"
    for row in rows:
        cells = (tag("td", one, **({"class_": "n"} if position in numbers else {})) for position, one in enumerate(row))
        yield f"<tr>{''.join(cells)}</tr>\n"
    yield "</tbody></table></div>\n"


def page(title: str, home: str, body: Iterable[str]) -> Iterable[str]:
    """A whole page; ``home`` is the way back to the first."""
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{text(title)}</title><style>{STYLE}</style></head><body>\n"
        f'<a class="skip" href="#main">Skip to content</a><nav aria-label="Bundle">{link(home, "Bundle")}</nav>'
        f'<main id="main">{tag("h1", title)}\n'
    )
    yield from body
    yield "</main></body></html>\n"
