"""The raw replay: the same questions as a scan, put by plain boto3 clients from the same number of threads.

``python -m benchmarks.replay FILE --threads N``. Nothing of ours is imported, nothing is kept, projected or judged, and no
question waits for another's answer, which a scan cannot avoid: it must list before it can look closer. What remains is
the price that the vendor's own library asks for these calls.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

TRIES = 30


class Replay:
    """One session with one client for each service and region, made when first needed."""

    def __init__(self, threads: int) -> None:
        self._session = boto3.Session()
        self._config = Config(max_pool_connections=threads, retries={"mode": "standard", "total_max_attempts": 3})
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = Lock()

    def put(self, question: tuple[str, str, dict[str, Any], str]) -> None:
        """One question, its pages to exhaustion; a refusal is an answer like any other."""
        kind, operation, params, region = question
        service, _, method = operation.partition(":")
        client = self._client(service, region)
        try:
            if kind == "prepare":
                for _ in range(TRIES):
                    if getattr(client, method)(**params).get("State") == "COMPLETE":
                        return
                    time.sleep(0.1)
            elif client.can_paginate(method):
                for _ in client.get_paginator(method).paginate(**params):
                    pass
            else:
                getattr(client, method)(**params)
        except ClientError:
            return

    def _client(self, service: str, region: str) -> Any:
        with self._lock:
            client = self._clients.get((service, region))
            if client is None:
                client = self._session.client(service, region_name=region, config=self._config)
                if service == "s3control":
                    client.meta.events.register("before-sign.s3-control", _to_the_endpoint)
                self._clients[service, region] = client
            return client


def _to_the_endpoint(request: Any, **_: Any) -> None:
    """S3 Control puts the account before the host's name, which on loopback resolves nowhere."""
    asked = urlsplit(request.url)
    request.url = asked._replace(netloc=urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc).geturl()


def main() -> int:
    """Put all questions; what must be prepared comes first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    questions = [tuple(question) for question in json.loads(options.file.read_text(encoding="utf-8"))]
    replay = Replay(options.threads)
    replay.put(("pages", "sts:get_caller_identity", {}, os.environ["AWS_DEFAULT_REGION"]))
    for question in questions:
        if question[0] == "prepare":
            replay.put(question)
    with ThreadPoolExecutor(options.threads) as pool:
        for _ in pool.map(replay.put, [question for question in questions if question[0] != "prepare"]):
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
