"""Origins of pages that may call the API: named one by one, spelt as browsers spell them.

Browsers send an origin in one spelling only (the WHATWG's URL standard, "ASCII serialization of an
origin"), so whatever is spelt otherwise would never match: it is refused at the start instead.
"""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

_ORIGIN: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[^/?#@:\[\]]+|\[[^\]]+\])(:(?P<port>\d+))?"
)
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_USUAL: Final = {"http": "80", "https": "443"}
_LAST_PORT: Final = 65_535
_LONGEST_NAME: Final = 253
_HTTP: Final = "it is http, so that anybody on the way can change the page: use https"


def origin_of(url: str) -> str:
    """Return the origin of an address, spelt as browsers do as far as spelling goes.

    >>> origin_of("HTTPS://Uploads.Example:443/base/")
    'https://uploads.example'
    """
    scheme, _, rest = url.partition("://")
    scheme, place = scheme.lower(), urlsplit(f"//{rest}").netloc.lower()
    return f"{scheme}://{place.removesuffix(f':{_USUAL[scheme]}')}"


def same_machine(host: str, port: int) -> list[str]:
    """Return the origins of a service that listens on this machine only; else none.

    People type either name, and to a browser they are two origins.

    >>> same_machine("127.0.0.1", 3000), same_machine("0.0.0.0", 3000)
    (['http://127.0.0.1:3000', 'http://localhost:3000'], [])
    """
    spelt = f"[{host}]" if ":" in host else host
    if not _is_loopback(spelt):
        return []
    names = dict.fromkeys([spelt, "localhost"])
    return [origin_of(f"http://{name}:{port}") for name in names]


def fault_of(origin: str) -> str | None:
    """Say what is wrong with an origin; ``None``: nothing.

    >>> fault_of("https://pages.example"), fault_of("http://localhost:5173")
    (None, None)
    >>> fault_of("https://pages.example/")
    'it has more than scheme, host and port'
    >>> fault_of("http://pages.example")
    'it is http, so that anybody on the way can change the page: use https'
    """
    if "*" in origin or origin == "null":
        return "origins are named one by one: this would let in pages of anybody"
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        return "it has more than scheme, host and port" if "://" in origin else "it has no scheme"
    scheme, host, port = match["scheme"], match["host"], match["port"]
    if not (_is_name(host) or _is_address(host)):
        return "its host is not spelt as browsers do: lower case, xn-- for other scripts"
    if port is not None and (port == _USUAL[scheme] or not _is_port(port)):
        return "browsers leave out the usual port, and know none above 65535"
    is_safe = scheme == "https" or _is_loopback(host)
    return None if is_safe else _HTTP


def _is_port(text: str) -> bool:
    return not text.startswith("0") and int(text) <= _LAST_PORT


def _is_name(host: str) -> bool:
    labels = host.split(".")
    is_spelt = all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()
    return is_spelt and len(host) <= _LONGEST_NAME


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        if host.startswith("["):
            return ipaddress.IPv6Address(host[1:-1])
        return ipaddress.IPv4Address(host)
    except ValueError:
        return None


def _is_address(host: str) -> bool:
    address = _address(host)
    return address is not None and str(address) == host.strip("[]")


def _is_loopback(host: str) -> bool:
    """Whether a page from there never crosses a network; browsers call it trustworthy, too."""
    address = _address(host)
    return (
        host == "localhost" or host.endswith(".localhost") or bool(address and address.is_loopback)
    )
