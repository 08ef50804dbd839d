"""The one door for requests to addresses that a tenant chose: judged first, then dialled exactly as judged.

A name is resolved once. Every address it has must be a public unicast address, or lie in a network that the operator
named; the connection goes to one of those addresses, with the name kept for TLS and the Host header. A name that
answers differently a moment later therefore gains nothing. Nothing is read from the environment's proxies, no redirect
is followed, and of an answer no more than 8 kB is read, or than the caller asked for.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

import httpcore
import httpx

from auditor.domain.delivery import Reply
from auditor.domain.errors import ConfigurationError, DeliveryError, EgressError
from auditor.trust.dialling import Dialler

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Resolve: TypeAlias = Callable[[str, int], Sequence[str]]

READ_AT_MOST = 8192
KEEP_AT_MOST = 1024
PORTS = frozenset({443, 8443})

NEVER: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "169.254.169.254/32",  # instance metadata of most clouds
            "169.254.170.0/24",  # credentials of containers and pods
            "168.63.129.16/32",  # a platform's host agent, on an address that looks public
            "100.100.100.200/32",
            "192.0.0.192/32",
            "fd00:ec2::/32",
            "fd20:ce::254/128",
        ),
    )
)
"""Metadata services: refused even inside a network that the operator allows, as what they hand out is credentials."""

DENIED: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "64:ff9b::/96",  # these two and the next carry an IPv4 address inside, which may be private
            "64:ff9b:1::/48",
            "2002::/16",
            "2001::/32",
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
            "fc00::/7",
            "fe80::/10",
            "ff00::/8",
        ),
    )
)
_IPV6_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is handed out today: what lies outside is refused unread, mapped and reserved forms included."""


@dataclass(frozen=True, slots=True)
class Target:
    """A judged URL: dial one of ``addresses`` and no other."""

    url: httpx.URL
    host: str
    port: int
    addresses: tuple[str, ...]


def parse_networks(text: str) -> tuple[Network, ...]:
    """The networks of a comma separated setting.

    Raises:
        ConfigurationError: Something in it is no network. Skipping it would open or shut another door than was meant.
    """
    networks: list[Network] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        try:
            networks.append(ip_network(part))
        except ValueError as error:
            advice = "Write AUDITOR_EGRESS_ALLOW as networks, e.g. 127.0.0.0/8,10.20.0.0/16"
            raise ConfigurationError(f"{part!r} is not a network: {error}", advice=advice) from error
    return tuple(networks)


def resolve(host: str, port: int) -> tuple[str, ...]:
    """Every address that the system's resolver gives for a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class Egress:
    """The outbound door. ``allow_networks`` are the operator's, never a tenant's."""

    def __init__(self, allow_networks: Iterable[Network] = (), *, resolve: Resolve = resolve) -> None:
        self._allowed = tuple(allow_networks)
        self._resolve = resolve

    def judge(self, url: str, *, within: float = 5.0, ports: frozenset[int] = PORTS) -> Target:
        """The address behind a URL, if it may be dialled; ``within`` bounds the resolving, in seconds.

        ``ports`` are those that may be dialled outside the operator's networks.

        Raises:
            EgressError: The URL or one of its addresses is refused.
            DeliveryError: The name could not be resolved just now.
        """
        parsed = _parsed(url)
        host = parsed.raw_host.decode("ascii")
        port = parsed.port or (443 if parsed.scheme == "https" else 80)
        addresses = tuple(_address(text, host) for text in self._answers(host, port, within))
        if not addresses:
            raise DeliveryError(f"{host} has no address", advice="Check the name in the URL.")
        for address in addresses:
            self._refuse(address, host)
        if not all(self._is_named(address) for address in addresses):
            if parsed.scheme != "https":
                raise EgressError("only https may leave", advice="Give the receiver a certificate and an https URL.")
            if port not in ports:
                named = " or ".join(map(str, sorted(ports)))
                raise EgressError(f"port {port} may not be dialled", advice=f"Use a receiver on port {named}.")
        return Target(parsed, host, port, tuple(map(str, addresses)))

    def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        connect: float = 5.0,
        total: float = 15.0,
        keep: int = KEEP_AT_MOST,
    ) -> Reply:
        """Send once and give what came back, its first ``keep`` bytes, whatever its status; 3xx answers are given as they are.

        Raises:
            EgressError: The address may not be dialled.
            DeliveryError: Nothing usable answered within ``total`` seconds (``connect`` for the connection).
        """
        started = time.monotonic()
        target = self.judge(url, within=connect)
        dialler = Dialler(target.addresses, connect_within=connect, deadline=started + total)
        try:
            with httpcore.ConnectionPool(
                ssl_context=self._tls if target.url.scheme == "https" else None, network_backend=dialler, retries=0
            ) as pool:
                return _exchange(pool, target, headers, body, started, keep)
        except (httpcore.TimeoutException, TimeoutError) as error:
            waited = time.monotonic() - started
            raise DeliveryError(
                f"timed out after {waited:.1f} s", advice="The receiver must answer within 15 s: queue its work."
            ) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
            raise DeliveryError(
                _plain(error), advice="Check that the receiver runs and its certificate holds."
            ) from error

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()

    def _answers(self, host: str, port: int, within: float) -> Sequence[str]:
        """The resolver's answers; the C library's own time limit may be far beyond ours, hence the thread."""
        answers: list[Sequence[str]] = []
        errors: list[Exception] = []

        def ask() -> None:
            try:
                answers.append(self._resolve(host, port))
            except (OSError, UnicodeError) as error:
                errors.append(error)

        asking = threading.Thread(target=ask, name="resolve", daemon=True)
        asking.start()
        asking.join(within)
        if answers:
            return answers[0]
        why = _plain(errors[0]) if errors else f"no answer within {within:g} s"
        raise DeliveryError(f"{host} cannot be resolved: {why}", advice="Check the name in the URL.")

    def _is_named(self, address: Address) -> bool:
        return any(address in network for network in self._allowed if network.version == address.version)

    def _refuse(self, address: Address, host: str) -> None:
        named = self._is_named(address) and not _within(address, NEVER)
        if not (named or is_public(address)):
            shown = host if host == str(address) else f"{host} ({address})"
            advice = "Use a public receiver, or let the operator name its network in AUDITOR_EGRESS_ALLOW."
            raise EgressError(f"{shown} is not a public address", advice=advice)


def is_public(address: Address) -> bool:
    """Whether an address belongs to somebody on the open internet; stricter than ``is_global``, which lets tunnels pass."""
    if _within(address, NEVER) or _within(address, DENIED):
        return False
    if isinstance(address, IPv6Address) and address not in _IPV6_UNICAST:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _parsed(url: str) -> httpx.URL:
    advice = "Write it as https://receiver.example/path, without user or password."
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise EgressError(f"not a URL: {error}", advice=advice) from error
    if parsed.scheme not in {"https", "http"} or not parsed.host or parsed.userinfo:
        raise EgressError("not an https URL that may be dialled", advice=advice)
    return parsed


def _address(text: str, host: str) -> Address:
    try:
        address = ip_address(text)
    except ValueError as error:
        raise EgressError(f"{host} resolves to {text!r}, which is no address") from error
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if isinstance(address, IPv6Address) and address.scope_id:
        raise EgressError(f"{host} resolves to an address of this link only")
    return address


def _exchange(
    pool: httpcore.ConnectionPool, target: Target, headers: Mapping[str, str], body: bytes, started: float, keep: int
) -> Reply:
    # Compressed answers are refused by not asking for them: 8 kB of zeros unpack to megabytes.
    fixed = {"host": target.url.netloc.decode("ascii"), "accept-encoding": "identity", "connection": "close"}
    sent = {**{name.lower(): value for name, value in headers.items()}, **fixed, "content-length": str(len(body))}
    request = httpcore.URL(
        scheme=target.url.raw_scheme, host=target.url.raw_host, port=target.port, target=target.url.raw_path
    )
    with pool.stream("POST", request, headers=list(sent.items()), content=body) as response:
        head = b""
        for chunk in response.iter_stream():
            head += chunk
            if len(head) >= max(READ_AT_MOST, keep):
                break
        retry_after = next((v.decode("latin-1") for k, v in response.headers if k.lower() == b"retry-after"), None)
        return Reply(response.status, head[:keep], time.monotonic() - started, retry_after)


def _plain(error: BaseException) -> str:
    return str(error) or type(error).__name__
