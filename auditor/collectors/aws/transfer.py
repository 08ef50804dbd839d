"""Transfer Family servers: which protocols they speak, and how old the ciphers are that they accept."""

from __future__ import annotations

import re
from dataclasses import dataclass

from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType

_DATED = re.compile(r"(\d{4})-(\d{2})$")


@dataclass(frozen=True, slots=True)
class Server:
    """A server; ``policy_month`` is when its security policy was published, as a number: 2024-01 is 202401."""

    name: Reading[str]
    protocols: Reading[tuple[str, ...]]
    policy: Reading[str | None]
    policy_month: Reading[int]


server = ResourceType(
    "aws.transfer.server",
    version=1,
    title="File transfer server",
    listing=Listing("transfer:list_servers", items="Servers", id="Arn", keep=("Arn", "ServerId")),
    details={
        "described": Read(
            "transfer:describe_server",
            ServerId="{ServerId}",
            keep=("Server.Protocols", "Server.SecurityPolicyName"),
        ),
    },
)


@server.document
def describe_server(seen: Readings) -> Server:
    """The server with its policy dated; without named protocols it speaks SFTP, the vendor's default."""
    told = seen["described"].map(lambda answer: (answer or {}).get("Server") or {})
    return Server(
        name=seen["ServerId"],
        protocols=told.map(lambda found: tuple(found.get("Protocols") or ("SFTP",))),
        policy=told.map(lambda found: found.get("SecurityPolicyName")),
        policy_month=told if isinstance(told, Unseen) else _month(told.value.get("SecurityPolicyName")),
    )


def _month(policy: str | None) -> Reading[int]:
    found = _DATED.search(policy or "")
    return Seen(int(found[1] + found[2])) if found else Unseen(f"security policy {policy} names no month")
