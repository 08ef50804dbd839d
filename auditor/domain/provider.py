"""Whose host that is: the provider's own, or anybody else's. Evidence from anybody else is marked *not a real provider*."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

_COMMERCIAL = ("amazonaws.com", "api.aws")
SUFFIXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "aws": _COMMERCIAL,
        "aws-us-gov": _COMMERCIAL,
        "aws-cn": ("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
        "aws-eusc": ("amazonaws.eu", "api.amazonwebservices.eu"),
        "aws-iso": ("c2s.ic.gov", "api.aws.ic.gov"),
        "aws-iso-b": ("sc2s.sgov.gov", "api.aws.scloud"),
        "aws-iso-e": ("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
        "aws-iso-f": ("csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    }
)
"""Under which names the services of each partition answer; a partition we do not know has none, so all its hosts are strange."""
CUSTOMERS = frozenset({"compute", "compute-1", "elasticbeanstalk", "elb", "execute-api", "lambda-url"})
"""Labels under which AWS names what its customers run: whoever answers there is not AWS."""


def providers_own(host: str, partition: str) -> bool:
    """Whether a host, as it stands in a URL, is one of AWS's own services in this partition."""
    name, _, port = host.lower().partition(":")
    if port not in {"", "443"} or CUSTOMERS.intersection(name.split(".")):
        return False
    return any(name.endswith(f".{suffix}") for suffix in SUFFIXES.get(partition, ()))


def stand_in(url: str | None, partition: str) -> str:
    """The host that a configured address lets answer instead of AWS; empty for AWS's own, and where none is configured.

    Without TLS nothing shows whose host it is, so that is a stand-in too.
    """
    if url is None:
        return ""
    host = host_of(url)
    return "" if urlsplit(url).scheme == "https" and providers_own(host, partition) else host or url


def host_of(url: str) -> str:
    """The host of an address with its port, if it names one; never who signs in there."""
    return urlsplit(url).netloc.rpartition("@")[2]
