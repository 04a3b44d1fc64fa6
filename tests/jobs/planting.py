"""Personal data made up for tests, each valid by its own rules, and what only looks like it.

Rule: nothing of the scanner is used here. Check digits are computed from how they are defined.
"""

import ipaddress
from collections.abc import Callable
from random import Random
from typing import Final

Make = Callable[[Random], str]

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FIRST: Final = ("anna", "bob", "chen", "dana", "emil", "fatima", "george", "hana", "ivo", "jürgen")
_LAST: Final = ("adams", "becker", "costa", "dubois", "eriksen", "fischer", "garcia", "huber")
_DOMAINS: Final = (
    "example.com",
    "example.org",
    "mail.example.net",
    "firma.example",
    "uni-bonn.de",
    "bbc.co.uk",
    "xn--bcher-kva.example",
    "sub.domain.info",
    "corp.local",
)


def digits(random: Random, count: int, first: str = "0123456789") -> str:
    """Return so many random digits."""
    return random.choice(first) + "".join(random.choices("0123456789", k=count - 1))


def with_luhn(body: str) -> str:
    """Append the digit that makes Luhn's sum a multiple of ten."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        double = int(digit) * (2 if place % 2 == 0 else 1)
        total += double // 10 + double % 10
    return body + str(-total % 10)


def grouped(text: str, *sizes: int, by: str) -> str:
    """Cut a text into groups."""
    parts, place = [], 0
    for size in sizes:
        parts.append(text[place : place + size])
        place += size
    return by.join(part for part in parts if part)


def email(random: Random) -> str:
    """Make an address."""
    local = random.choice(_FIRST) + random.choice((".", "_", "+", "-", "")) + random.choice(_LAST)
    return f"{local}{random.choice(('', '7', '1984'))}@{random.choice(_DOMAINS)}"


def phone(random: Random) -> str:
    """Make a number of a plan that this file knows, as people write it."""
    a, b, c = digits(random, 3, "23456789"), digits(random, 3, "2346789"), digits(random, 4)
    area = random.choice(("212", "415", "312", "617", "206", "416"))
    return random.choice(
        (
            f"+1 {area} {b} {c}",
            f"+1-{area}-{b}-{c}",
            f"+1{area}{b}{c}",
            f"({area}) {b}-{c}",
            f"{area}-{b}-{c}",
            f"{area}.{b}.{c}",
            f"1-{area}-{b}-{c}",
            f"+1 (555) {b}-{c}",
            f"+49 30 {a}{c}",
            f"+49 (0)30 {a}{c}",
            f"030 {a}{c}",
            f"030/{a}{c}",
            f"(030) {a}{c}",
            f"0049 30 {a}{c}",
            f"+44 20 7946 {c}",
            f"020 7946 {c}",
            f"+44 7911 123{a}",
            f"+33 1 42 68 {c[:2]} {c[2:]}",
            f"01 42 68 {c[:2]} {c[2:]}",
            f"01.42.68.{c[:2]}.{c[2:]}",
            f"+91 98{a} {c}5",
            f"+55 11 9{c}-{c}",
            f"(11) 9{c}-{c}",
            f"+61 2 9{a} {c}",
        )
    )


def card(random: Random) -> str:
    """Make a card of a brand, in groups or not."""
    start, length, sizes = random.choice(
        (
            ("4", 16, (4, 4, 4, 4)),
            ("51", 16, (4, 4, 4, 4)),
            ("55", 16, (4, 4, 4, 4)),
            ("2223", 16, (4, 4, 4, 4)),
            ("6011", 16, (4, 4, 4, 4)),
            ("62", 16, (4, 4, 4, 4)),
            ("3528", 16, (4, 4, 4, 4)),
            ("34", 15, (4, 6, 5)),
            ("37", 15, (4, 6, 5)),
            ("36", 14, (4, 6, 4)),
            ("305", 14, (4, 6, 4)),
        )
    )
    number = with_luhn(start + digits(random, length - len(start) - 1))
    return grouped(number, *sizes, by=random.choice(("", " ", "-")))


def iban(random: Random) -> str:
    """Make an IBAN of one of eight countries, in groups or not."""
    country, body = random.choice(
        (
            ("DE", digits(random, 18)),
            ("AT", digits(random, 16)),
            ("ES", digits(random, 20)),
            ("FR", digits(random, 10) + "0" + digits(random, 12)),
            ("BE", digits(random, 12)),
            ("GB", "NWBK" + digits(random, 14)),
            ("NL", "ABNA" + digits(random, 10)),
            ("CH", digits(random, 17)),
            ("NO", digits(random, 11)),
            ("PL", digits(random, 24)),
        )
    )
    as_number = "".join(str(int(letter, 36)) for letter in f"{body}{country}00")
    whole = f"{country}{98 - int(as_number) % 97:02}{body}"
    return grouped(whole, *[4] * 9, by=random.choice(("", " ")))


def ip(random: Random) -> str:
    """Make an address of a network."""
    if random.random() < 0.7:
        return ".".join(str(random.randrange(1, 255)) for _ in range(4))
    address = ipaddress.IPv6Address((0x20010DB8 << 96) + random.getrandbits(64))
    return random.choice((address.compressed, address.exploded))


def _weighted(body: str, weights: tuple[int, ...]) -> int:
    return sum(int(d) * w for d, w in zip(body, weights, strict=True))


def ssn(random: Random) -> str:
    """Make a number of the United States, with hyphens."""
    area = random.choice([n for n in range(1, 900) if n != 666])
    return f"{area:03}-{random.randrange(1, 100):02}-{random.randrange(1, 10_000):04}"


def nif(random: Random) -> str:
    """Make a Spanish DNI."""
    number = random.randrange(10**8)
    return f"{number:08}{random.choice(('', '-'))}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def nie(random: Random) -> str:
    """Make a Spanish number of foreigners."""
    first, number = random.randrange(3), random.randrange(10**7)
    return f"{'XYZ'[first]}{number:07}{'TRWAGMYFPDXBNJZSQVHLCKE'[(first * 10**7 + number) % 23]}"


_ODD: Final = (
    1,
    0,
    5,
    7,
    9,
    13,
    15,
    17,
    19,
    21,
    2,
    4,
    18,
    20,
    11,
    3,
    6,
    8,
    12,
    14,
    16,
    10,
    22,
    25,
    24,
    23,
)


def fiscal_code(random: Random) -> str:
    """Make an Italian tax code of somebody born in the eighties."""
    name = random.choice(("RSSMRA", "BNCLCU", "VRDGPP", "FRRNNA"))
    body = (
        f"{name}8{random.randrange(10)}{random.choice('ABCDEHLMPRST')}{random.randrange(1, 29):02}"
    )
    body += random.choice(("H501", "F205", "L219", "A562"))
    value = {c: i for i, c in enumerate("0123456789")} | {c: i for i, c in enumerate(_LETTERS)}
    total = sum(_ODD[value[c]] if i % 2 == 0 else value[c] for i, c in enumerate(body))
    return body + _LETTERS[total % 26]


def pesel(random: Random) -> str:
    """Make a Polish PESEL of the twentieth century."""
    body = f"{random.randrange(20, 100)}{random.randrange(1, 13):02}{random.randrange(1, 29):02}"
    body += digits(random, 4)
    return body + str(-_weighted(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10)


def hetu(random: Random) -> str:
    """Make a Finnish identity code."""
    date = f"{random.randrange(1, 29):02}{random.randrange(1, 13):02}{random.randrange(30, 100)}"
    number = f"{random.randrange(2, 900):03}"
    return f"{date}-{number}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(date + number) % 31]}"


def tfn(random: Random) -> str:
    """Make an Australian tax file number."""
    while True:
        found = digits(random, 9, "123456789")
        if _weighted(found, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0:
            return grouped(found, 3, 3, 3, by=random.choice(("", " ")))


def nhs(random: Random) -> str:
    """Make a number of the British health service."""
    while True:
        body = digits(random, 9, "456")
        check = 11 - _weighted(body, (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
        if check != 10:
            return grouped(body + str(check % 11), 3, 3, 4, by=random.choice(("", " ")))


def nino(random: Random) -> str:
    """Make a British insurance number."""
    number = random.choice(("AB", "CE", "JK", "PR", "TW")) + digits(random, 6)
    return grouped(number + random.choice("ABCD"), 2, 2, 2, 2, 1, by=random.choice(("", " ")))


def nric(random: Random) -> str:
    """Make an identity number of Singapore."""
    first, body = random.choice("STFG"), digits(random, 7)
    total = _weighted(body, (2, 7, 6, 5, 4, 3, 2)) + (4 if first in "TG" else 0)
    letters = "JZIHGFEDCBA" if first in "ST" else "XWUTRQPNMLK"
    return f"{first}{body}{letters[total % 11]}"


def tax_id(random: Random) -> str:
    """Make a German tax id: ten digits of which none stands three times, and mod 11, 10."""
    body = "".join(random.sample("123456789", 9)) + "0"
    product = 10
    for digit in body:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    whole = body + str((11 - product) % 10)
    return grouped(whole, 2, 3, 3, 3, by=random.choice(("", " ")))


_DIHEDRAL: Final = [
    [
        (j + i) % 5
        if j < 5 and i < 5
        else (j - i) % 5
        if j >= 5 and i >= 5
        else 5 + (i + j) % 5
        if j < 5
        else 5 + (j - i) % 5
        for i in range(10)
    ]
    for j in range(10)
]
_TURNS: Final = [[*range(10)], [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
for _ in range(6):
    _TURNS.append([_TURNS[1][digit] for digit in _TURNS[-1]])


def aadhaar(random: Random) -> str:
    """Make an Indian number with Verhoeff's digit."""
    body = digits(random, 11, "3456789")
    check = 0
    for place, digit in enumerate(reversed(body), start=1):
        check = _DIHEDRAL[check][_TURNS[place % 8][int(digit)]]
    last = _DIHEDRAL[check].index(0)
    return grouped(f"{body}{last}", 4, 4, 4, by=" ")


def personnummer(random: Random) -> str:
    """Make a Swedish number."""
    body = f"{random.randrange(40, 99)}{random.randrange(1, 13):02}{random.randrange(1, 29):02}"
    whole = with_luhn(body + digits(random, 3))
    return f"{random.choice(('', '19'))}{whole[:6]}-{whole[6:]}"


# By kind: what makes one, and what people write before it (in the text or as the column's name).
KINDS: Final[dict[str, tuple[Make, str]]] = {
    "email": (email, ""),
    "phone": (phone, ""),
    "card": (card, ""),
    "iban": (iban, ""),
    "ip": (ip, ""),
    "us_ssn": (ssn, ""),
    "es_nif": (nif, ""),
    "es_nie": (nie, ""),
    "it_fiscal_code": (fiscal_code, ""),
    "fi_hetu": (hetu, ""),
    "sg_nric": (nric, ""),
    "uk_nino": (nino, ""),
    "in_aadhaar": (aadhaar, ""),
    "se_personnummer": (personnummer, ""),
    "pl_pesel": (pesel, "PESEL"),
    "au_tfn": (tfn, "TFN"),
    "uk_nhs": (nhs, "NHS number"),
    "de_tax_id": (tax_id, "Steuer-ID"),
}
