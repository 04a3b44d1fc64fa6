"""Cuts candidates for the judges out of a text, kind by kind.

Whether a candidate stands at a place depends on a few characters around it and on nothing before
it. So long texts cost no more than short ones, and what was looked at first changes nothing.
"""

import re
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Final

Span = tuple[int, int]

# No part of a longer word or number, nor of 1.234-5: such a thing is a version, a serial, a sum.
_LEFT: Final = r"(?<![0-9A-Za-z_])(?<![0-9][-.])"
_RIGHT: Final = r"(?![0-9A-Za-z_])(?![-.][0-9])"

# Order numbers begin with letters and a date: ORD-240115-0012.
_LEFTS: Final = MappingProxyType(
    {
        "se_personnummer": r"(?<![-0-9A-Za-z_])",
        "fi_hetu": r"(?<![-0-9A-Za-z_])",
        "in_aadhaar": r"(?<![0-9A-Za-z_])(?<![0-9][- .])(?<![A-Za-z]-)",
        "phone": r"(?<![0-9A-Za-z_+])(?<![0-9][-./])(?:(?<![A-Za-z]-)|(?=[+(]))",
    }
)
_RIGHTS: Final = MappingProxyType(
    {
        "in_aadhaar": r"(?![0-9A-Za-z_])(?![- .][0-9])(?!-[A-Za-z])",
        "phone": r"(?![0-9_A-WYZa-wyz])(?![-./][0-9])",
    }
)

_LOCAL: Final = re.compile(r"[-!#$%&'*+/=?^_`{|}~.\w]*")
_DOMAIN: Final = re.compile(r"[-.\w]+")
_MAX_LOCAL: Final = 320
_MAX_DOMAIN: Final = 255

_IP4: Final = re.compile(r"[0-9]{1,3}(?:[.][0-9]{1,3}){3}(?![0-9A-Za-z_]|[-.][0-9])")
_IP6: Final = re.compile(r"(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![0-9A-Za-z_:]|[-.][0-9])")
_IP_LEFT: Final = re.compile(r"(?<![0-9A-Za-z_])(?<![0-9][-.])(?<![A-Za-z]/)", re.ASCII)
_HEX_LEFT: Final = re.compile(r"[0-9A-Fa-f:]{0,40}")
_HEX_RIGHT: Final = re.compile(
    r"(?:[0-9A-Fa-f]{0,4}:){1,8}(?:[0-9]{1,3}(?:[.][0-9]{1,3}){3}|[0-9A-Fa-f]{0,4})"
)

_IBAN_START: Final = re.compile(r"[A-Z]{2}[0-9]{2}(?=[ -]?[A-Z0-9]{4})")
_IBAN_LEFT: Final = re.compile(r"(?<![A-Z0-9])")
_IBAN_REST: Final = re.compile(r"[ -]?[A-Z0-9]")
_IBAN_LENGTHS: Final = MappingProxyType(
    {
        country: int(length)
        for length, countries in {
            "15": "NO",
            "16": "BE",
            "18": "DK FO FI GL NL",
            "19": "MK SI",
            "20": "AT BA EE KZ XK LT LU",
            "21": "HR LV LI CH",
            "22": "BH BG CR GE DE IE ME RS GB VA",
            "23": "TL GI IL IQ AE",
            "24": "AD CZ MD PK RO SA SK ES SE TN VG",
            "25": "PT LY",
            "26": "IS TR",
            "27": "FR GR IT MR MC SM",
            "28": "AL AZ BY CY DO GT HU LB PL",
            "29": "BR EG PS QA UA",
            "30": "JO KW MU",
            "31": "MT SC",
            "32": "LC",
        }.items()
        for country in countries.split()
    }
)


def emails(text: str) -> Iterator[Span]:
    """Yield what stands around each at sign, as far as an address can reach.

    >>> [text[a:b] for text in ["ask <bob@x.org>!"] for a, b in emails(text)]
    ['bob@x.org']

    """
    at = text.find("@")
    while at >= 0:
        before = text[max(0, at - _MAX_LOCAL) : at][::-1]
        local = _LOCAL.match(before)
        domain = _DOMAIN.match(text, at + 1, at + 1 + _MAX_DOMAIN)
        if local and local.end() and domain and "." in domain.group():
            yield at - local.end(), domain.end()
        at = text.find("@", at + 1)


def ips(text: str) -> Iterator[Span]:
    """Yield addresses of four numbers, of eight, and what stands around double colons.

    >>> [text[a:b] for text in ["v1.2.3.4 10.1.2.3, ::ffff:10.1.2.3"] for a, b in ips(text)]
    ['10.1.2.3', '10.1.2.3', '::ffff:10.1.2.3']

    """
    for pattern, mark, marks in ((_IP4, ".", 3), (_IP6, ":", 7)):
        found = pattern.search(text) if text.count(mark) >= marks else None
        while found:
            if _IP_LEFT.match(text, found.start()):
                yield found.span()
            found = pattern.search(text, found.start() + 1)
    colons = text.find("::")
    while colons >= 0:
        left = _HEX_LEFT.match(text[max(0, colons - 40) : colons][::-1])
        right = _HEX_RIGHT.match(text, colons)
        assert left is not None
        assert right is not None
        start, end = colons - left.end(), right.end()
        if _IP_LEFT.match(text, start) and not text[end : end + 1].isalnum():
            yield start, end
        colons = text.find("::", colons + 2)


def ibans(text: str) -> Iterator[Span]:
    """Yield as many characters as an IBAN of the country has.

    >>> [text[a:b] for text in ["DE89 3704 0044 0532 0130 00 TEST"] for a, b in ibans(text)]
    ['DE89 3704 0044 0532 0130 00']

    """
    for found in _IBAN_START.finditer(text):
        length = _IBAN_LENGTHS.get(found.group()[:2])
        if length is None or not _IBAN_LEFT.match(text, found.start()):
            continue
        end = found.end()
        for _ in range(length - 4):
            rest = _IBAN_REST.match(text, end)
            if rest is None:
                break
            end = rest.end()
        else:
            if not text[end : end + 1].isalnum():
                yield found.start(), end


def cutter(
    kind: str, bodies: tuple[str, ...], *, caseless: bool
) -> Callable[[str], Iterator[Span]]:
    """Return what yields each place at which one of the bodies stands, overlapping ones too."""
    flags = re.ASCII | (re.IGNORECASE if caseless else 0)
    right = _RIGHTS.get(kind, _RIGHT)
    left = re.compile(_LEFTS.get(kind, _LEFT), re.ASCII)
    searches = [re.compile(f"(?:{body}){right}", flags).search for body in bodies]

    def spans(text: str) -> Iterator[Span]:
        for search in searches:
            found = search(text)
            while found:
                if left.match(text, found.start()):
                    yield found.span()
                found = search(text, found.start() + 1)

    return spans
