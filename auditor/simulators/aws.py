"""The emulated AWS account as its users hold it: start it, talk to it with boto3, make it fail, turn its clock."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from auditor.simulators.faults import Fault

ACCOUNT = "123456789012"
_START_SECONDS = 60.0


class EmulatorError(RuntimeError):
    """The emulator did not start, or refused a control request."""


class AwsEmulator:
    """An AWS account in a process of its own, gone when the ``with`` block or its parent ends.

    The process holds the reading end of a pipe whose other end is here; whatever ends us closes it, and it stops.
    """

    def __init__(self, *, start_at: datetime | None = None) -> None:
        self._start_at = start_at
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._faults: list[Fault] = []
        self._making = Lock()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The endpoint to hand to AWS clients, such as ``http://127.0.0.1:40123``."""
        if not self._url:
            raise RuntimeError("the emulator is not running; call start() or use it in a with statement")
        return self._url

    @property
    def pid(self) -> int | None:
        """The server's process id, or None when it is not running."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the server and return when it listens.

        Raises:
            EmulatorError: It ended or stayed silent; the message carries what it printed.
        """
        command = [sys.executable, "-m", "auditor.simulators.aws_server", "--port", "0"]
        if self._start_at is not None:
            command += ["--clock", self._start_at.isoformat()]
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
        )
        try:
            self._url = str(json.loads(self._first_line())["url"])
        except BaseException:
            self.stop()
            raise

    def _first_line(self) -> bytes:
        if self._process is None or self._process.stdout is None:
            raise RuntimeError("the emulator's process is gone")
        ready, _, _ = select.select([self._process.stdout], [], [], _START_SECONDS)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            raise EmulatorError("the AWS emulator did not start; is the extra 'demo' installed?")
        return line

    def stop(self) -> None:
        """End the server and wait until it is gone; stopping twice is fine."""
        process, self._process, self._url = self._process, None, ""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._session = None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def environment(self) -> dict[str, str]:
        """The variables that make any AWS client talk to this account."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "AKIAEMULATOR00000000",
            "AWS_SECRET_ACCESS_KEY": "emulated-secret-key",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A boto3 client of this account, made once per service and region; S3 Control works too."""
        with self._making:  # clients may be shared by threads, the session that makes them may not
            if (service, region) not in self._clients:
                self._clients[service, region] = self._make_client(service, region)
            return self._clients[service, region]

    def _make_client(self, service: str, region: str) -> Any:
        import boto3  # noqa: PLC0415 - costs a quarter second, which a mere start() shall not pay
        from botocore.config import Config  # noqa: PLC0415 - likewise

        variables = self.environment()
        if self._session is None:
            self._session = boto3.Session(
                aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            )
        # No proxies: a client of a loopback server has no business outside.
        config = Config(retries={"total_max_attempts": 2, "mode": "standard"}, max_pool_connections=32, proxies={})
        client = self._session.client(service, region_name=region, endpoint_url=self.url, config=config)
        if service == "s3control":
            client.meta.events.register("before-sign.s3-control.*", _strip_account_label)
        return client

    def counts(self) -> dict[str, int]:
        """Requests per ``service:Operation`` since the last reset, attempts and refusals included."""
        return {str(name): int(count) for name, count in self.control("GET", "counts")["counts"].items()}

    def reset_counts(self) -> None:
        """Count from zero again."""
        self.control("POST", "reset-counts")

    def deny(self, calls: str, *, resource: str = "", region: str = "") -> None:
        """Refuse calls by operation or IAM action, such as ``s3:GetEncryptionConfiguration`` or ``rds:*``."""
        self.fault(Fault(calls, "deny", resource=resource, region=region))

    def throttle(self, calls: str, *, times: int | None = None) -> None:
        """Answer calls as AWS does to those who ask too fast, ``times`` often or until allowed again."""
        self.fault(Fault(calls, "throttle", times=times))

    def allow(self, calls: str) -> None:
        """Take back every fault that was made under this name."""
        self._send_faults([fault for fault in self._faults if fault.calls != calls])

    def fault(self, fault: Fault) -> None:
        """Add a fault to those in force."""
        self._send_faults([*self._faults, fault])

    def clear_faults(self) -> None:
        """Take back all faults."""
        self._send_faults([])

    def _send_faults(self, faults: list[Fault]) -> None:
        self.control("POST", "faults", [asdict(fault) for fault in faults])
        self._faults = faults

    def latency(self, seconds: float) -> None:
        """Let every answer take this much longer."""
        self.control("POST", "latency", {"seconds": seconds})

    def set_clock(self, at: datetime | None, *, tick: bool = True) -> None:
        """Let it be ``at`` in the account from now on; None returns to the machine's time."""
        self.control("POST", "clock", {"at": at.isoformat() if at else None, "tick": tick})

    def supplement(self, facts: Mapping[str, Any]) -> None:
        """Settle facts that no AWS call sets, see ``supplements.State``."""
        self.control("POST", "supplements", facts)

    def seed(self, number: int) -> None:
        """Make the ids that the account invents from now on repeatable."""
        self.control("POST", "seed", {"seed": number})

    def reset(self) -> None:
        """Empty the account and take back faults, counts, latency, clock and supplements."""
        self.control("POST", "reset")
        self._faults = []

    def control(self, method: str, verb: str, document: object = None) -> Any:
        """Ask the control desk something.

        Raises:
            EmulatorError: It did not understand; the message is its own.
        """
        host = urlsplit(self.url)
        connection = HTTPConnection(str(host.hostname), host.port, timeout=60)
        try:
            connection.request(
                method, f"/_emulator/{verb}", body=json.dumps(document).encode() if document is not None else None
            )
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise EmulatorError(answer.get("error", answer))
        return answer


def _environment() -> dict[str, str]:
    """Ours without anything of AWS, and with the folder this package was imported from, installed or not."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    root = str(Path(__file__).resolve().parents[2])
    inherited["PYTHONPATH"] = os.pathsep.join(filter(None, [root, inherited.get("PYTHONPATH")]))
    return inherited


def _strip_account_label(request: Any, **_: object) -> None:
    """Dial the emulator itself where S3 Control would dial ``<account>.127.0.0.1``, a name that nobody resolves."""
    label, _, rest = urlsplit(request.url).netloc.partition(".")
    if label.isdigit() and len(label) == 12:
        request.url = request.url.replace(f"//{label}.{rest}", f"//{rest}", 1)
