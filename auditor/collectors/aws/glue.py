"""The Glue data catalogue of a region: its metadata and the passwords of its connections."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.aws._answers import inside
from auditor.domain.reading import Reading, Readings, Seen
from auditor.domain.resource_type import Read, ResourceType

UNDER_A_KEY = frozenset({"SSE-KMS", "SSE-KMS-WITH-SERVICE-ROLE"})


@dataclass(frozen=True, slots=True)
class Catalog:
    """The catalogue; ``empty`` only where the list of its databases was complete and held none."""

    name: str
    empty: bool
    metadata_encrypted: Reading[bool]
    passwords_encrypted: Reading[bool]


catalog = ResourceType(
    "aws.glue.catalog",
    version=1,
    title="Glue data catalogue",
    details={
        "settings": Read(
            "glue:get_data_catalog_encryption_settings",
            keep=(
                "DataCatalogEncryptionSettings.EncryptionAtRest.CatalogEncryptionMode",
                "DataCatalogEncryptionSettings.ConnectionPasswordEncryption.ReturnConnectionPasswordEncrypted",
            ),
        ),
        "databases": Read("glue:get_databases", AttributesToGet=["NAME"], items="DatabaseList", keep=("Name",)),
    },
)


@catalog.document
def describe_catalog(seen: Readings) -> Catalog:
    """The catalogue; where its databases could not be listed it is judged, not excused."""
    settings = seen["settings"].map(lambda answer: inside(answer, "DataCatalogEncryptionSettings"))
    return Catalog(
        name="Glue",
        empty=seen["databases"] == Seen([]),
        metadata_encrypted=settings.map(
            lambda known: inside(known, "EncryptionAtRest", "CatalogEncryptionMode") in UNDER_A_KEY
        ),
        passwords_encrypted=settings.map(
            lambda known: bool(inside(known, "ConnectionPasswordEncryption", "ReturnConnectionPasswordEncrypted"))
        ),
    )
