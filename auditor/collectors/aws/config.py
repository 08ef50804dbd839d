"""AWS Config in a region: what its recorders write down, and whether the record is delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._ec2 import Item, parts
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Read, ResourceType


@dataclass(frozen=True, slots=True)
class Recorder:
    """A recorder; ``left_out`` are the types it excludes where it records all others."""

    name: str
    recording: Reading[bool]
    failing: Reading[bool]
    records_all: bool
    records_all_but: bool
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """A region's recorders."""

    name: str
    recorders: tuple[Recorder | Unseen, ...]


@dataclass(frozen=True, slots=True)
class Channel:
    """A delivery channel."""

    name: str
    bucket: str | None
    failing: Reading[bool]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A region's delivery channels."""

    name: str
    channels: tuple[Channel | Unseen, ...]


recording = ResourceType(
    "aws.config.recording",
    version=1,
    title="AWS Config recording in a region",
    details={
        "recorders": Read(
            "config:describe_configuration_recorders",
            items="ConfigurationRecorders",
            keep=(
                "name",
                "recordingGroup.allSupported",
                "recordingGroup.recordingStrategy.useOnly",
                "recordingGroup.exclusionByResourceTypes.resourceTypes",
            ),
        ),
        "states": Read(
            "config:describe_configuration_recorder_status",
            items="ConfigurationRecordersStatus",
            keep=("name", "recording", "lastStatus"),
        ),
    },
)

delivery = ResourceType(
    "aws.config.delivery",
    version=1,
    title="AWS Config delivery in a region",
    details={
        "channels": Read("config:describe_delivery_channels", items="DeliveryChannels", keep=("name", "s3BucketName")),
        "states": Read(
            "config:describe_delivery_channel_status",
            items="DeliveryChannelsStatus",
            keep=("name", "configHistoryDeliveryInfo.lastStatus"),
        ),
    },
)


@recording.document
def describe_recording(seen: Readings) -> Recording:
    """The recorders of the region, each with its state."""
    recorders, hidden = parts(seen["recorders"])
    found = tuple(_recorder(one, _state(seen, one)) for one in recorders)
    return Recording("AWS Config", found if hidden is None else (*found, hidden))


@delivery.document
def describe_delivery(seen: Readings) -> Delivery:
    """The channels of the region, each with how its last history delivery ended."""
    channels, hidden = parts(seen["channels"])
    found = tuple(
        Channel(
            name=one["name"],
            bucket=one.get("s3BucketName"),
            failing=_state(seen, one).map(
                lambda state: _failed((state.get("configHistoryDeliveryInfo") or {}).get("lastStatus"))
            ),
        )
        for one in channels
    )
    return Delivery("AWS Config", found if hidden is None else (*found, hidden))


def _recorder(one: Item, state: Reading[Mapping[str, Any]]) -> Recorder:
    group = one.get("recordingGroup") or {}
    strategy = (group.get("recordingStrategy") or {}).get("useOnly")
    return Recorder(
        name=one["name"],
        recording=state.map(lambda told: bool(told.get("recording"))),
        failing=state.map(lambda told: _failed(told.get("lastStatus"))),
        records_all=bool(group.get("allSupported")),
        records_all_but=strategy == "EXCLUSION_BY_RESOURCE_TYPES",
        left_out=tuple(sorted((group.get("exclusionByResourceTypes") or {}).get("resourceTypes") or ())),
    )


def _state(seen: Readings, one: Item) -> Reading[Mapping[str, Any]]:
    """The state that stands under the same name; none is an empty one."""
    states, hidden = parts(seen["states"])
    named = next((state for state in states if state.get("name") == one["name"]), None)
    return hidden if named is None and hidden is not None else Seen(named or {})


def _failed(status: str | None) -> bool:
    return (status or "").lower() == "failure"
