"""Addresses that operators let us call, and secrets that sign what is sent there."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_SECRET_BYTES: Final = range(24, 65)  # Standard Webhooks 1.0, "signature scheme"
WHSEC: Final = "whsec_"
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether an address is one of the Internet, whatever it is wrapped in.

    >>> [is_public(ipaddress.ip_address(each)) for each in ("203.0.113.9", "1.1.1.1", "10.0.0.1")]
    [False, True, False]
    >>> is_public(ipaddress.ip_address("::ffff:169.254.169.254"))
    False
    """
    return address.is_global and not address.is_multicast and all(map(is_public, _within(address)))


def _within(address: Address) -> Iterator[Address]:
    """Yield the addresses of IPv4 that an IPv6 address leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    yield from (each for each in (address.ipv4_mapped, address.sixtofour) if each is not None)
    if address.teredo is not None:
        yield address.teredo[1]
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


def faults_of_address(member: str, url: str, *, allow_private: bool) -> Iterator[tuple[str, str]]:
    """Say what is wrong with an address to call, and what to write instead."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or not re.fullmatch(r"[\x21-\x7e]+", url) or "@" in parts.netloc or parts.fragment:
        yield member, "write https://host/path, without user, password and fragment."
    elif parts.scheme not in ({"https", "http"} if allow_private else {"https"}):
        yield member, "it must begin with https:// (http:// with allowPrivate only)."


def is_secret(secret: str) -> bool:
    """Whether it can sign webhooks: ``whsec_``, and the base64 of 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(WHSEC), validate=True)
    except (binascii.Error, ValueError):
        return False
    return secret.startswith(WHSEC) and len(key) in _SECRET_BYTES
