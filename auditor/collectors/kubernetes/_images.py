"""Image names taken apart: registry, tag and digest, as container runtimes read them."""

from __future__ import annotations

from dataclasses import dataclass

HUB = "docker.io"


@dataclass(frozen=True, slots=True)
class Image:
    """An image's name; ``tag`` and ``digest`` are null where it has none."""

    registry: str
    tag: str | None
    digest: str | None

    @property
    def fixed(self) -> bool:
        """Whether the name means a version: by digest, or by a tag other than ``latest``."""
        return self.digest is not None or (self.tag is not None and self.tag != "latest")


def image(name: str) -> Image:
    """The parts of an image's name. A colon before the last slash is a port; a first part that is no host means the hub."""
    rest, _, digest = name.partition("@")
    first, slash, _ = rest.partition("/")
    hosted = slash and ("." in first or ":" in first or first == "localhost")
    _, colon, tag = rest.rpartition("/")[2].partition(":")
    return Image(first.lower() if hosted else HUB, tag if colon and tag else None, digest or None)
