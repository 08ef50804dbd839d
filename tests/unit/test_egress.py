"""The outbound door: what it refuses to dial, and that it dials what it judged."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address, ip_network

import pytest

from auditor.domain.errors import ConfigurationError, DeliveryError, EgressError
from auditor.trust.egress import DENIED, NEVER, Egress, is_public, parse_networks

PUBLIC = "93.184.216.34"
LOOPBACK = (ip_network("127.0.0.0/8"),)


def answering(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    return lambda host, port: addresses


@pytest.mark.parametrize("network", [*DENIED, *NEVER], ids=str)
def test_no_address_of_a_denied_range_may_be_dialled(network: object) -> None:
    denied = ip_network(str(network))
    for address in (denied[0], denied[-1], denied[denied.num_addresses // 2]):
        with pytest.raises(EgressError, match="not a public address"):
            Egress(resolve=answering(str(address))).judge("https://receiver.example/hook")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "::7f00:1",
        "fe80::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2001::7f00:1",
        "4000::1",
        "100::1",
    ],
)
def test_an_address_that_leads_inside_by_another_name_is_refused(address: str) -> None:
    with pytest.raises(EgressError):
        Egress(resolve=answering(address)).judge("https://receiver.example/")


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_a_public_address_may_be_dialled(address: str) -> None:
    assert Egress(resolve=answering(address)).judge("https://receiver.example/").addresses


def test_a_mapped_address_is_dialled_as_the_one_it_was_judged_as() -> None:
    assert Egress(resolve=answering("::ffff:1.1.1.1")).judge("https://receiver.example/").addresses == ("1.1.1.1",)


def test_one_private_answer_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(EgressError, match=r"10\.0\.0\.7"):
        Egress(resolve=answering(PUBLIC, "10.0.0.7")).judge("https://receiver.example/")


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.example/",
        "https://receiver.example:22/",
        "https://receiver.example:80/",
        "https://user:word@receiver.example/",
        "ftp://receiver.example/",
        "file:///etc/passwd",
        "receiver.example/hook",
        "https:///path",
        "https://receiver.example:99999/",
        "https://receiver.example/\nx",
        "",
    ],
)
def test_a_url_in_a_form_that_may_not_leave_is_refused_with_advice(url: str) -> None:
    with pytest.raises(EgressError) as refused:
        Egress(resolve=answering(PUBLIC)).judge(url)
    assert refused.value.advice()
    assert not refused.value.retryable


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"])
def test_loopback_in_disguise_is_refused_by_what_it_resolves_to(host: str) -> None:
    with pytest.raises(EgressError):
        Egress().judge(f"https://{host}/")


def test_the_second_port_of_https_is_allowed() -> None:
    assert Egress(resolve=answering(PUBLIC)).judge("https://receiver.example:8443/x").port == 8443


def test_a_network_that_the_operator_names_is_reached_by_plain_http_on_any_port() -> None:
    target = Egress(LOOPBACK, resolve=answering("127.0.0.1")).judge("http://receiver.example:9000/x")
    assert (target.port, target.addresses) == (9000, ("127.0.0.1",))


def test_plain_http_needs_every_answer_inside_the_named_networks() -> None:
    with pytest.raises(EgressError, match="https"):
        Egress(LOOPBACK, resolve=answering("127.0.0.1", PUBLIC)).judge("http://receiver.example/")


def test_naming_one_network_opens_no_other() -> None:
    with pytest.raises(EgressError):
        Egress(LOOPBACK, resolve=answering("10.0.0.1")).judge("https://receiver.example/")


def test_metadata_services_stay_shut_even_in_a_network_that_is_named() -> None:
    with pytest.raises(EgressError):
        Egress(parse_networks("169.254.0.0/16"), resolve=answering("169.254.169.254")).judge("http://receiver.example/")


def test_a_name_that_does_not_resolve_is_tried_again_later() -> None:
    def nothing(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(DeliveryError, match="cannot be resolved") as failed:
        Egress(resolve=nothing).judge("https://receiver.example/")
    assert failed.value.retryable


def test_a_resolver_that_hangs_holds_nobody_up() -> None:
    release = threading.Event()

    def hang(host: str, port: int) -> Sequence[str]:
        release.wait(10)
        return ()

    try:
        with pytest.raises(DeliveryError, match="no answer within"):
            Egress(resolve=hang).judge("https://receiver.example/", within=0.05)
    finally:
        release.set()


def test_a_name_that_changes_its_answer_after_judging_is_dialled_where_it_was_judged() -> None:
    """The judged address is a receiver of ours; the second answer would be a trap that counts who comes."""
    with listening("127.0.0.1") as (port, judged), listening("127.0.0.3", port) as (_, trapped):
        asked: list[str] = []

        def rebinding(host: str, port: int) -> Sequence[str]:
            asked.append(host)
            return ("127.0.0.1",) if len(asked) == 1 else ("127.0.0.3",)

        egress = Egress((ip_network("127.0.0.1/32"),), resolve=rebinding)
        reply = egress.post(f"http://receiver.example:{port}/hook", {}, b"{}")
        assert reply.status == 204
        assert asked == ["receiver.example"]
        assert b"host: receiver.example:" in judged[0].lower()
        assert trapped == []
        with pytest.raises(EgressError):
            egress.post(f"http://receiver.example:{port}/hook", {}, b"{}")
        assert trapped == []


def test_networks_are_read_from_a_setting() -> None:
    assert parse_networks(" 127.0.0.0/8, fd00::/8 ,") == (ip_network("127.0.0.0/8"), ip_network("fd00::/8"))
    with pytest.raises(ConfigurationError, match="not a network"):
        parse_networks("127.0.0.0/8,inside")


def test_public_is_stricter_than_the_standard_librarys_global() -> None:
    for address in map(ip_address, ("64:ff9b::7f00:1", "2002:7f00:1::", "224.0.1.1")):
        assert not is_public(address)


@contextlib.contextmanager
def listening(host: str, port: int = 0) -> Iterator[tuple[int, list[bytes]]]:
    received: list[bytes] = []
    server = socket.create_server((host, port))
    server.settimeout(0.1)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(5)
                    received.append(connection.recv(65536))
                    connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1], received
    finally:
        over.set()
        thread.join()
        server.close()
