"""Evidence objects in a bucket: put once, locked by the provider if configured so, read back before they count as kept.

The only door to S3 for what we keep; boto3 is imported when the first object is touched. Lock state is read with
``HeadObject``, because not every implementation answers the calls that are made for it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from auditor.domain.errors import ConfigurationError, EvidenceError, LockedError
from auditor.domain.retention import Lock, LockMode

_TAKEN = frozenset({"PreconditionFailed", "412"})
_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
_RACED = frozenset({"ConditionalRequestConflict", "409"})
_TRIES = 3


class S3Blobs:
    """``Blobs`` in a bucket under a prefix.

    Args:
        url: ``s3://bucket/prefix``.
        mode: ``off``, or the Object Lock mode that each object is put under.
        endpoint_url: Another server that speaks S3; by default what the AWS configuration says.
        connections: How many calls may be under way at once.
    """

    def __init__(self, url: str, *, mode: LockMode, endpoint_url: str | None = None, connections: int = 16) -> None:
        self._bucket, self._prefix = place(url)
        self._mode = mode.upper()
        self._endpoint_url = endpoint_url
        self._connections = connections
        self.locks = mode != "off"

    def put_once(self, address: str, data: bytes, retain_until: datetime | None) -> bool:
        """Keep the bytes under a key that nothing lies at, and read them back. See ``Blobs``."""
        asked: dict[str, Any] = {
            "Body": data,
            "IfNoneMatch": "*",
            "ContentType": "application/octet-stream",
            "ChecksumAlgorithm": "SHA256",  # beside the sum itself: without either of them a locked put is refused
            "ChecksumSHA256": base64.b64encode(hashlib.sha256(data).digest()).decode(),
        }
        if self.locks and retain_until is not None:
            asked |= {"ObjectLockMode": self._mode, "ObjectLockRetainUntilDate": retain_until}
        if not self._put(address, asked):
            return False
        if self.get(address) != data:
            raise EvidenceError(f"object {address} was kept with other bytes than were sent")
        return True

    def get(self, address: str) -> bytes | None:
        """The bytes; none where nothing lies."""
        with _told(f"read {address}", missing=True):
            return bytes(self._client.get_object(**self._at(address))["Body"].read())
        return None

    def lock(self, address: str) -> Lock | None:
        """What binds the object; none where nothing lies."""
        found = self._head(address)
        if found is None:
            return None
        return Lock(found.get("ObjectLockRetainUntilDate"), found.get("ObjectLockLegalHoldStatus") == "ON")

    def extend(self, address: str, until: datetime) -> datetime | None:
        """Lock until then, never for less than before, and never under a weaker mode. See ``Blobs``."""
        found = self._head(address)
        if found is None or not self.locks:
            return None
        known: datetime | None = found.get("ObjectLockRetainUntilDate")
        if known is not None and known >= until:
            return known
        mode = "COMPLIANCE" if found.get("ObjectLockMode") == "COMPLIANCE" else self._mode
        with _told(f"extend the lock of {address}"):
            self._client.put_object_retention(**self._at(address), Retention={"Mode": mode, "RetainUntilDate": until})
        return until

    def hold(self, address: str, held: bool) -> None:  # noqa: FBT001  (as in Blobs)
        """Put a legal hold on the object or take it off; without Object Lock only our own rows know of it."""
        if not self.locks:
            return
        with _told(f"hold {address}", missing=True):
            self._client.put_object_legal_hold(**self._at(address), LegalHold={"Status": "ON" if held else "OFF"})

    def delete(self, address: str, now: datetime) -> None:
        """Remove every version of the object; a marker alone would leave the bytes. See ``Blobs``."""
        lock = self.lock(address)
        if lock is not None and lock.binds(now):
            raise LockedError(f"object {address} is locked")
        key = self._at(address)["Key"]
        with _told(f"delete {address}"):
            pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key)
            versions = [
                one["VersionId"]
                for page in pages
                for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
                if one["Key"] == key
            ]
            for version in versions:
                self._client.delete_object(**self._at(address), VersionId=version)

    def _put(self, address: str, asked: dict[str, Any]) -> bool:
        from botocore.exceptions import ClientError  # noqa: PLC0415  (boto3 costs 134 ms to import)

        for attempt in range(_TRIES):
            with _told(f"put {address}"):
                try:
                    self._client.put_object(**self._at(address), **asked)
                except ClientError as error:
                    code = _code(error)
                    if code in _TAKEN:
                        return False
                    if code not in _RACED or attempt == _TRIES - 1:
                        raise
                else:
                    return True
        return False  # pragma: no cover  (the last try returns or raises)

    def _head(self, address: str) -> dict[str, Any] | None:
        with _told(f"look at {address}", missing=True):
            return dict(self._client.head_object(**self._at(address)))
        return None

    def _at(self, address: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}{address}"}

    @cached_property
    def _client(self) -> Any:
        import boto3  # noqa: PLC0415  (costs 134 ms to import)
        from botocore.config import Config  # noqa: PLC0415  (likewise)

        config = Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            max_pool_connections=self._connections,
            connect_timeout=5,
            read_timeout=30,
        )
        with _told("reach the bucket"):
            return boto3.session.Session().client("s3", endpoint_url=self._endpoint_url, config=config)


def place(url: str) -> tuple[str, str]:
    """Bucket and prefix of ``s3://bucket/prefix``; the prefix ends in a slash or is empty.

    Raises:
        ConfigurationError: It is no such URL.
    """
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(
            f"AUDITOR_OBJECTS names no bucket: {url}", advice="Write s3://bucket or s3://bucket/prefix, or a folder"
        )
    prefix = parts.path.strip("/")
    return parts.netloc, f"{prefix}/" if prefix else ""


@contextmanager
def _told(doing: str, *, missing: bool = False) -> Iterator[None]:
    """The provider's refusals as ours, translated once; ``missing`` lets an object that is not there pass in silence."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  (costs 134 ms to import)

    try:
        yield
    except ClientError as error:
        code = _code(error)
        if missing and code in _MISSING:
            return
        if code in {"AccessDenied", "AccessDeniedException"} and doing.startswith("delete"):
            raise LockedError(f"cannot {doing}: the bucket refuses it ({code})") from error
        advice = (
            "AUDITOR_OBJECT_LOCK needs a bucket that was made with Object Lock; make one, or set it to off"
            if "Object Lock" in str(error) or "ObjectLock" in str(error)
            else "Check bucket, region and permissions: GetObject, PutObject, PutObjectRetention, PutObjectLegalHold"
        )
        raise EvidenceError(f"cannot {doing}: {code}", advice=advice) from error
    except BotoCoreError as error:
        raise EvidenceError(
            f"cannot {doing}: {type(error).__name__}", advice="Check AUDITOR_OBJECTS and the AWS credentials"
        ) from error


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
