"""Client addresses: proxies are believed as far as they are trusted, and nobody else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.addresses import UNKNOWN, client_of, parse_networks

_LAN = parse_networks("10.0.0.0/8, 2001:db8:ffff::/48, 127.0.0.1")


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", UNKNOWN),
        (None, UNKNOWN),
        ("/run/service.sock", UNKNOWN),
        ("192.0.2.07", UNKNOWN),
    ],
)
def test_who_has_one_address_of_a_network_has_them_all(
    address: str | None, counted_as: str
) -> None:
    """IPv4 as it is, IPv6 by what a household gets; junk shares one bucket."""
    assert client_of(address, [], ()) == counted_as


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        # nobody is believed but a trusted proxy
        ("192.0.2.7", ["6.6.6.6"], "192.0.2.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["6.6.6.6"], "6.6.6.6"),
        # what stands left of the first stranger anybody may have invented
        ("10.0.0.1", ["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["6.6.6.6", "192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        ("10.0.0.1", ["10.0.0.9, 192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["10.0.0.3,10.0.0.2"], "10.0.0.3"),
        # junk ends the reading
        ("10.0.0.1", ["192.0.2.7, , 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["192.0.2.7, unknown"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["[2001:db8::7]x"], "10.0.0.1"),
        # spellings
        ("::ffff:10.0.0.1", [" 192.0.2.7:4711 "], "192.0.2.7"),
        ("2001:db8:ffff::1", ["[2001:db8:1:2::7]:80"], "2001:db8:1:2::/64"),
        ("127.0.0.1", ["2001:db8:1:2::7"], "2001:db8:1:2::/64"),
        # a proxy that nobody knows is a client like any other
        (None, ["192.0.2.7"], UNKNOWN),
    ],
)
def test_the_client_is_the_last_whom_a_trusted_proxy_names(
    peer: str | None, forwarded: list[str], client: str
) -> None:
    """From the right, for as long as whoever wrote an entry is trusted."""
    assert client_of(peer, forwarded, _LAN) == client


def test_without_trusted_proxies_the_header_means_nothing() -> None:
    """The default: what any client may send changes nothing."""
    assert client_of("10.0.0.1", ["6.6.6.6"], ()) == "10.0.0.1"


@given(st.lists(st.text(max_size=40), max_size=5))
def test_nothing_that_a_stranger_sends_changes_who_it_is(forwarded: list[str]) -> None:
    """Behind a proxy that appends the stranger's address, as proxies do."""
    assert client_of("10.0.0.1", [*forwarded, "192.0.2.7"], _LAN) == "192.0.2.7"


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "proxy.example", "10.0.0.0 ::1"])
def test_what_is_no_network_is_refused(text: str) -> None:
    """Bits behind the prefix are a typing mistake, too: it may be narrower than was meant."""
    with pytest.raises(ValueError, match=r"10\.0|proxy"):
        parse_networks(text)
