"""What an EKS cluster does with a bearer token: read the signed question in it, and believe its signer.

The real one puts the question to STS, which checks the signature over the cluster's name; here it is checked with the secrets
that were handed over, since the emulated STS checks none.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

from auditor.simulators.kubernetes_identities import AUTHENTICATED, Identity

_PREFIX = "k8s-aws-v1."
_ASKED = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
_MOST = timedelta(minutes=15)
_SIGNATURE = "X-Amz-Signature"


class EksTokens:
    """Tokens for one cluster. ``secrets`` holds each access key's secret, ``users`` who it is in the cluster, with groups."""

    def __init__(
        self,
        cluster: str,
        clock: Callable[[], datetime],
        *,
        secrets: Mapping[str, str],
        users: Mapping[str, tuple[str, tuple[str, ...]]],
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._secrets = secrets
        self._users = users
        self.taken: list[str] = []
        """Every token that was believed, once each, in the order of their coming."""

    def of(self, token: str) -> Identity | None:
        """Who signed it for this cluster a moment ago; None for anything else."""
        try:
            return self._read(token)
        except (KeyError, ValueError):
            return None

    def _read(self, token: str) -> Identity | None:
        kind, body = token[: len(_PREFIX)], token[len(_PREFIX) :]
        if kind != _PREFIX or "=" in body:
            return None
        url = urlsplit(urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode("ascii"))
        query = dict(parse_qsl(url.query, strict_parsing=True))
        signed_at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        now = self._clock()
        key = query["X-Amz-Credential"].partition("/")[0]
        believed = (
            query.items() >= _ASKED.items()
            and query["X-Amz-Expires"] == "60"
            and signed_at - _MOST <= now < signed_at + _MOST
            and hmac.compare_digest(query[_SIGNATURE], self._signature(url.netloc, url.path, query, self._secrets[key]))
        )
        if not believed:
            return None
        if token not in self.taken:
            self.taken.append(token)
        user, groups = self._users[key]
        return Identity(user, (*groups, AUTHENTICATED), expires_at=signed_at + _MOST)

    def _signature(self, host: str, path: str, query: Mapping[str, str], secret: str) -> str:
        """Signature version 4 of the question, with our own name where the signer put the cluster's."""
        sent = {"host": host, "x-k8s-aws-id": self._cluster}
        asked = "&".join(
            f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted(query.items()) if k != _SIGNATURE
        )
        headers = "".join(f"{name}:{sent[name]}\n" for name in query["X-Amz-SignedHeaders"].split(";"))
        body = hashlib.sha256(b"").hexdigest()
        canonical = "\n".join(["GET", path, asked, headers, query["X-Amz-SignedHeaders"], body])
        scope = query["X-Amz-Credential"].split("/")[1:]
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = "\n".join([query["X-Amz-Algorithm"], query["X-Amz-Date"], "/".join(scope), digest])
        key = f"AWS4{secret}".encode()
        for part in (*scope, text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key.hex()
