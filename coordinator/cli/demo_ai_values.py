"""Makes personal data of nobody, for ``coordinator demo-ai``: valid as far as check digits go.

Rule: written by the rules of those who issue such numbers, with no code, pattern or library of the
scanner. What it makes is the truth that the scanner is measured by.
"""

import string
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

Make = Callable[[Random], str]

_FIRST_NAMES: Final = (
    "anna",
    "bela",
    "carla",
    "dario",
    "emeka",
    "fatima",
    "goran",
    "hanna",
    "ivo",
    "jomo",
    "katya",
    "lars",
)
_LAST_NAMES: Final = (
    "okafor",
    "lindqvist",
    "moreau",
    "ferrari",
    "novak",
    "sharma",
    "tanaka",
    "weber",
    "brady",
    "silva",
)
_DOMAINS: Final = (
    *("example.org", "mail.example.com", "kontor-nord.de", "atelier-lyon.fr", "northwind.co.uk"),
    *("studio.io", "post.example.net", "labs.mit.edu", "correo.es", "firma.com.pl"),
)
_AREAS: Final = ("212", "312", "415", "617", "713", "206")
_CONSONANTS: Final = "BCDFGLMNPRSTV"


def digits(rng: Random, count: int, first: str = "0123456789") -> str:
    """Return so many digits, the first out of ``first``."""
    return rng.choice(first) + "".join(rng.choices(string.digits, k=count - 1))


def luhn(body: str) -> str:
    """Return the check digit by ISO/IEC 7812-1.

    >>> luhn("7992739871")
    '3'
    """
    total = 0
    for place, digit in enumerate(reversed(body)):
        number = int(digit) * (2 - place % 2)
        total += number // 10 + number % 10
    return str(-total % 10)


def iban(country: str, account: str) -> str:
    """Put the check digits of ISO 13616 before an account, grouped by four.

    >>> iban("DE", "370400440532013000")
    'DE89 3704 0044 0532 0130 00'
    """
    number = int("".join(str(int(letter, 36)) for letter in f"{account}{country}00"))
    solid = f"{country}{98 - number % 97:02}{account}"
    return " ".join(solid[at : at + 4] for at in range(0, len(solid), 4))


def weighted(body: str, weights: Sequence[int]) -> int:
    """Add up digits by their weights."""
    return sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True))


def cross_weighted(body: str, weights: Sequence[int]) -> int:
    """Add up the digits of each weighted digit."""
    products = (int(digit) * weight for digit, weight in zip(body, weights, strict=True))
    return sum(product // 10 + product % 10 for product in products)


def day(rng: Random) -> str:
    """Return a day as YYMMDD, of people who are no children."""
    return f"{rng.randint(50, 99)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"


def email(rng: Random) -> str:
    """Return an address as people have them."""
    first, last = rng.choice(_FIRST_NAMES), rng.choice(_LAST_NAMES)
    local = rng.choice(
        (
            f"{first}.{last}",
            f"{first}_{last}{rng.randint(1, 99)}",
            f"{first[0]}{last}",
            f"{first}.{last}+list{rng.randint(1, 9)}",
            f"{first.title()}.{last.title()}",
        )
    )
    return f"{local}@{rng.choice(_DOMAINS)}"


def phone(rng: Random) -> str:
    """Return a number of one of five countries as it is written there or from abroad."""
    area, exchange = rng.choice(_AREAS), f"7{rng.randint(3, 9)}{rng.randint(2, 9)}"
    line = digits(rng, 4)
    mobile = digits(rng, 8)
    pairs = " ".join(mobile[at : at + 2] for at in range(0, 8, 2))
    return rng.choice(
        (
            f"+1 {area} {exchange} {line}",
            f"({area}) {exchange}-{line}",
            f"{area}-{exchange}-{line}",
            f"+44 20 79{digits(rng, 2)} {line}",
            f"+44 7911 {digits(rng, 6, '123456789')}",
            f"+49 151 {digits(rng, 8, '123456789')}",
            f"+33 6 {pairs}",
            f"06 {pairs}",
            f"+91 98{digits(rng, 3)} {digits(rng, 5)}",
        )
    )


def card(rng: Random) -> str:
    """Return a card's number: Visa, Mastercard or American Express."""
    if rng.random() < 0.25:  # noqa: PLR2004
        body = rng.choice(("34", "37")) + digits(rng, 12)
        whole = body + luhn(body)
        return rng.choice((whole, f"{whole[:4]} {whole[4:10]} {whole[10:]}"))
    start = "4" if rng.random() < 0.5 else f"5{rng.randint(1, 5)}"  # noqa: PLR2004
    body = start + digits(rng, 15 - len(start))
    whole = body + luhn(body)
    parted = rng.choice(("", " ", "-"))
    return parted.join(whole[at : at + 4] for at in range(0, 16, 4))


def account(rng: Random) -> str:
    """Return an IBAN of one of six countries, as paper has it or as computers do."""
    country, rest = rng.choice(
        (
            ("DE", digits(rng, 18, "123456789")),
            ("AT", digits(rng, 16)),
            ("ES", digits(rng, 20)),
            ("BE", digits(rng, 12)),
            ("NL", f"{''.join(rng.choices(_CONSONANTS, k=4))}{digits(rng, 10)}"),
            ("GB", f"{''.join(rng.choices(_CONSONANTS, k=4))}{digits(rng, 14)}"),
        )
    )
    grouped = iban(country, rest)
    return grouped if rng.random() < 0.5 else grouped.replace(" ", "")  # noqa: PLR2004


def address(rng: Random) -> str:
    """Return an IP address: version 4, 6 in full, or 6 in short."""
    groups = [f"{rng.randint(0x1000, 0xFFFF):x}" for _ in range(6)]
    return rng.choice(
        (
            ".".join(str(rng.randint(11, 223)) for _ in range(4)).replace("127.", "126.", 1),
            f"2a02:26f0:{':'.join(groups)}",
            f"2001:db8:{groups[0]}::{groups[1]}:{groups[2]}",
        )
    )


COMMON: Final[dict[str, Make]] = {
    "email": email,
    "phone": phone,
    "card": card,
    "iban": account,
    "ip": address,
}
