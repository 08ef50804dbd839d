"""ConfigMaps (what their values look like and marks for them, never the values), Secrets (their metadata alone) and service accounts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.kubernetes._about import fields, labels_of, name_of, namespace_of, told
from auditor.collectors.kubernetes._listing import listing
from auditor.domain.reading import Readings
from auditor.domain.redaction import Piece, text, variable, withhold
from auditor.domain.resource_type import ResourceType
from auditor.domain.secrets import scan


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """A ConfigMap; ``secrets`` are patterns and places of what looks like one in its values."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Secret:
    """That a Secret exists. Neither its type nor a byte of its content reaches us."""

    name: str
    namespace: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account; ``automount_token`` is null where it says nothing, which means yes."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    automount_token: bool | None


def add(item: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a ConfigMap with marks for values, scanned line by line; a key with one line is a named value besides."""
    data = item.get("data") or {}
    return {"values": withhold(piece for key, value in data.items() for piece in _pieces(str(key), str(value)))}


def _pieces(key: str, value: str) -> Iterator[Piece]:
    told = value.strip("\n")
    if "\n" in told:
        yield from text(told, place=key)
    else:
        named = variable(key, told)
        yield named._replace(patterns=[*named.patterns, *(hit.pattern for hit in scan(told))])


config_map = ResourceType(
    "kubernetes.config_map",
    version=2,
    title="ConfigMap",
    place="account",
    listing=listing("core/v1:configmaps", "ConfigMap", add=add, added=("values",)),
)
secret = ResourceType(
    "kubernetes.secret",
    version=1,
    title="Secret",
    place="account",
    listing=listing("core/v1:secrets", "Secret", metadata_only=True),
)
service_account = ResourceType(
    "kubernetes.service_account",
    version=1,
    title="Service account",
    place="account",
    listing=listing("core/v1:serviceaccounts", "ServiceAccount", keep=("automountServiceAccountToken",)),
)


@config_map.document
def describe_config_map(seen: Readings) -> ConfigMap:
    """The ConfigMap with its hits in words."""
    hits = fields(seen, "values").get("hits", ())
    return ConfigMap(
        name_of(seen),
        namespace_of(seen),
        labels_of(seen),
        tuple(f"{hit['pattern']} in {hit['place']}" for hit in hits),
    )


@secret.document
def describe_secret(seen: Readings) -> Secret:
    """The Secret's name and labels."""
    return Secret(name_of(seen), namespace_of(seen), labels_of(seen))


@service_account.document
def describe_service_account(seen: Readings) -> ServiceAccount:
    """The service account as it was written."""
    return ServiceAccount(
        name_of(seen), namespace_of(seen), labels_of(seen), told(seen, "automountServiceAccountToken")
    )
