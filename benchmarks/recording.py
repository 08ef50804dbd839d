"""Scan once and write down every question that was put to the vendor, so that it can be replayed without us.

``python -m benchmarks.recording FILE --threads N --region R ... --service S ...`` with the usual AWS environment.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from auditor.collectors.aws import resource_types
from auditor.collectors.aws._client import connect
from auditor.domain.calls import Hear, unheard
from auditor.domain.ports import Caller
from auditor.domain.scope import Scope
from auditor.pipeline.plan import places, select
from auditor.pipeline.scan import scan
from controls import shipped

PREPARE, PAGES = "prepare", "pages"


class Recorder:
    """A caller that passes every question on and remembers it. Satisfies ``domain.ports.Caller``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._lock = Lock()
        self.questions: list[tuple[str, str, dict[str, Any], str]] = []
        self.account, self.partition, self.home = caller.account, caller.partition, caller.home
        self.identity, self.endpoint = caller.identity, caller.endpoint

    def pages(
        self, operation: str, params: Mapping[str, Any], *, region: str, heard: Hear = unheard
    ) -> Iterator[Mapping[str, Any]]:
        """As the caller behind answers."""
        self._note(PAGES, operation, params, region)
        return self._caller.pages(operation, params, region=region, heard=heard)

    def prepare(self, operation: str, *, region: str) -> None:
        """As the caller behind does."""
        self._note(PREPARE, operation, {}, region)
        self._caller.prepare(operation, region=region)

    def _note(self, kind: str, operation: str, params: Mapping[str, Any], region: str) -> None:
        with self._lock:
            self.questions.append((kind, operation, dict(params), region))


def record(regions: Sequence[str], services: Sequence[str], threads: int) -> list[tuple[str, str, dict[str, Any], str]]:
    """The questions of one scan, in the order in which they were put."""
    recorder = Recorder(connect(threads=threads))
    scope = Scope(regions=tuple(regions), services=tuple(services))
    selection = select(shipped(), resource_types(), scope)
    scan(
        selection,
        recorder,
        places(regions, scope),
        clock=lambda: datetime.now(UTC),
        threads=threads,
        progress=lambda *_: None,
    )
    return recorder.questions


def main() -> int:
    """Scan and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--region", action="append", required=True)
    parser.add_argument("--service", action="append", default=[])
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    options.file.write_text(json.dumps(record(options.region, options.service, options.threads)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
