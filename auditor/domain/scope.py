"""Which part of a source is audited: a versioned in/out rule that is itself evidence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """Regions and services that are in; empty means all. ``frameworks`` narrows what is asked, not what is seen."""

    version: int = 1
    regions: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()

    def has_service(self, service: str) -> bool:
        """Whether resource types of this service are looked at (``s3`` of ``aws.s3.bucket``)."""
        return not self.services or service in self.services
