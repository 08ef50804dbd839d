"""Watches of a cluster: one line per change, of which the name is read and nothing else.

Enters: a stream and the version to go on from. Leaves: what changed, and how far the watch has come. Guards that nothing of an
object gets past this file but its name, and that memory follows the longest line and not the stream.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any
from urllib.parse import quote, urlencode

from auditor.collectors.kubernetes._client import JSON, ClusterCaller
from auditor.collectors.kubernetes._listing import KIND, METADATA_ONLY, id_of
from auditor.collectors.kubernetes._requests import path_of, watching
from auditor.domain.ports import CallFailed
from auditor.domain.watching import Heard, Stream

METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
BEYOND = 10
"""Seconds of silence after the end that we asked for, when a connection is taken for dead."""
LONGEST_NAME = 600
LONGEST_LINE = 8 * 1024 * 1024
"""Bytes: more than the largest object that etcd takes, several times over."""


class ClusterHearer:
    """``domain.watching.Hearer`` over a cluster's caller."""

    def __init__(self, caller: ClusterCaller) -> None:
        self._caller = caller

    def hear(self, stream: Stream, params: Mapping[str, Any], *, seconds: int) -> Iterator[Heard]:
        """What happens after the stream's version, for so many seconds; see ``domain.watching.Hearer``.

        A server that sends no metadata alone is asked for whole objects only where the listing is, too.
        """
        operation, _, namespace = stream.name.partition(" ")
        action = watching(operation, namespace)
        query = urlencode(
            {
                "watch": "true",
                "allowWatchBookmarks": "true",
                "resourceVersion": stream.version,
                "timeoutSeconds": seconds,
            },
            quote_via=quote,
        )
        pieces = self._caller.stream(
            f"{path_of(operation, namespace)}?{query}",
            accept=METADATA if params.get(METADATA_ONLY) else f"{METADATA},{JSON}",
            action=action,
            operation=operation,
            silence=seconds + BEYOND,
        )
        with closing(pieces):
            for line in _lines(pieces, action):
                yield _heard(line, str(params[KIND]), action) if line else Heard(stream.version)


def _lines(pieces: Iterator[bytes], action: str) -> Iterator[bytes]:
    """Whole lines, an empty one when the server began to answer; what a cut connection left of a line is nothing."""
    yield next(pieces, b"")
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from filter(None, whole)
        if len(rest) > LONGEST_LINE:
            raise CallFailed("LineTooLong", "error", action=action)


def _heard(line: bytes, kind: str, action: str) -> Heard:
    """What a line tells.

    Raises:
        CallFailed: An ERROR, which comes inside HTTP 200 (``Expired`` for 410), or a line that nobody can read.
    """
    try:
        told = json.loads(line)
        word, thing = told["type"], told["object"]
        if word == "ERROR":
            code = "Expired" if thing.get("code") == 410 else _plain(str(thing.get("reason") or "Error"))
            raise CallFailed(code, "error", action=action)
        about = thing["metadata"]
        version = _plain(str(about["resourceVersion"]))
        if word == "BOOKMARK":
            return Heard(version)
        return Heard(version, _plain(id_of(about, kind)), gone=word == "DELETED")
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        raise CallFailed("Unreadable", "error", action=action, message=type(broken).__name__) from broken


def _plain(text: str) -> str:
    """A name as it may be written down. Raises ``ValueError`` for what no name is: one such would stop all that is told."""
    if len(text) > LONGEST_NAME or not text.isprintable():
        raise ValueError("not a name")
    return text
