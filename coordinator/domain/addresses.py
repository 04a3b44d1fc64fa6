"""Client addresses: who is asking, as far as proxies can be believed, and who counts as one."""

import re
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNKNOWN: Final = "unknown"
# What one household or machine gets: whoever has one address of it has all of them.
_IPV6_PREFIX: Final = 64
_WITH_PORT: Final = re.compile(r"([0-9.]+):[0-9]{1,5}|\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?")


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read networks in CIDR, separated by commas; a plain address is a network of one.

    >>> parse_networks("10.0.0.0/8, ::1")
    (IPv4Network('10.0.0.0/8'), IPv6Network('::1/128'))

    Raises:
        ValueError: one of them is none, or has bits set behind its prefix.

    """
    return tuple(ip_network(entry) for part in text.split(",") if (entry := part.strip()))


def client_of(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Return who counts as the client: what its requests are limited by.

    ``peer`` is the connection's other end, ``forwarded`` the values of all ``X-Forwarded-For``, in
    their order. Every proxy adds at the right whom it was asked by. So they are read from the
    right for as long as the one who wrote is trusted; what stands left of that anybody may have
    invented. What is no address ends the reading, and the last good one counts.

    >>> lan = parse_networks("10.0.0.0/8")
    >>> client_of("10.0.0.1", ["6.6.6.6, 192.0.2.7, 10.0.0.2"], lan)
    '192.0.2.7'
    >>> client_of("192.0.2.7", ["6.6.6.6"], lan)
    '192.0.2.7'
    """
    client = _parse(peer or "")
    if client is None:
        return UNKNOWN
    entries = [entry for value in forwarded for entry in value.split(",")] if trusted else []
    for entry in reversed(entries):
        if not any(client in network for network in trusted):
            break
        before = _parse(_without_port(entry.strip()))
        if before is None:
            break
        client = before
    return _class_of(client)


def _parse(text: str) -> Address | None:
    """Read an address; IPv4 in the clothes of IPv6 (RFC 4291, section 2.5.5.2) is IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _without_port(text: str) -> str:
    """Some proxies write where the connection came from: ``192.0.2.7:4711``, ``[2001:db8::7]:1``.

    >>> _without_port("192.0.2.7:4711"), _without_port("[2001:db8::7]:1"), _without_port("::1")
    ('192.0.2.7', '2001:db8::7', '::1')
    """
    match = _WITH_PORT.fullmatch(text)
    return (match[1] or match[2]) if match else text


def _class_of(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address), _IPV6_PREFIX), strict=False))
