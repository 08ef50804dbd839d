"""Kinesis data streams and whether what they carry is kept encrypted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._answers import inside
from auditor.collectors.aws._listed import listed
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream; ``encryption`` is ``KMS`` or ``NONE``."""

    name: str
    encryption: Reading[str]


def streams(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The listed names, as items: the service promises names only, summaries come as it likes."""
    return ({"StreamName": name} for name in page.get("StreamNames", ()))


stream = ResourceType(
    "aws.kinesis.stream",
    version=1,
    title="Kinesis data stream",
    listing=Listing(
        "kinesis:list_streams",
        items=streams,
        id="arn:{partition}:kinesis:{region}:{account}:stream/{StreamName}",
        keep=("StreamName",),
    ),
    details={
        "summary": Read(
            "kinesis:describe_stream_summary",
            StreamName="{StreamName}",
            keep=("StreamDescriptionSummary.EncryptionType",),
        ),
    },
)


@stream.document
def describe_stream(seen: Readings) -> Stream:
    """The stream; a summary without an encryption type is that of a stream without encryption."""
    return Stream(
        name=listed(seen["StreamName"]),
        encryption=seen["summary"].map(
            lambda answer: inside(answer, "StreamDescriptionSummary", "EncryptionType") or "NONE"
        ),
    )
