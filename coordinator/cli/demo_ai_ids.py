"""Makes national ids of nobody, for ``coordinator demo-ai``; see ``demo_ai_values``."""

import string
from random import Random
from typing import Final

from coordinator.cli.demo_ai_values import (
    Make,
    cross_weighted,
    day,
    digits,
    luhn,
    weighted,
)

_UPPER: Final = string.ascii_uppercase
_SPANISH: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_FINNISH: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_SINGAPORE: Final = "JZIHGFEDCBA"
_MEDICARE: Final = "ACDEFGHJKMNPQRTUVWXY"
# By ISO 3166-2.
_THAI_PROVINCES: Final = (
    *(*range(10, 28), *range(30, 50), *range(50, 59), *range(60, 68)),
    *(*range(70, 78), *range(80, 87), *range(90, 97)),
)
_MONTHS: Final = "ABCDEHLMPRST"
# What Italians count for a character in an odd place; in an even place it is its rank.
_ODD: Final = dict(
    zip(
        string.digits + _UPPER,
        [
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21),
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18),
            *(20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        ],
        strict=True,
    )
)

# Verhoeff: multiplication in the dihedral group of ten, and how digits change places.
_TIMES: Final = tuple(
    tuple((a + b) % 5 if b < 5 else (a + b) % 5 + 5 for b in range(10))  # noqa: PLR2004
    if a < 5  # noqa: PLR2004
    else tuple((a - b) % 5 + 5 if b < 5 else (a - b) % 5 for b in range(10))  # noqa: PLR2004
    for a in range(10)
)
_ONCE: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def verhoeff(body: str) -> str:
    """Return the check digit by Verhoeff.

    >>> verhoeff("236")
    '3'
    """
    check = 0
    for place, digit in enumerate(reversed(body), start=1):
        moved = int(digit)
        for _ in range(place % 8):
            moved = _ONCE[moved]
        check = _TIMES[check][moved]
    return str(_TIMES[check].index(0))


def eleven_ten(body: str) -> str:
    """Return the check digit by ISO 7064, mod 11,10.

    >>> eleven_ten("8609574271")
    '9'
    """
    product = 10
    for digit in body:
        product = 2 * ((int(digit) + product) % 10 or 10) % 11
    return str((11 - product) % 10)


def _letters(rng: Random, count: int, out_of: str = _UPPER) -> str:
    return "".join(rng.choices(out_of, k=count))


def _it_fiscal_code(rng: Random) -> str:
    names = _letters(rng, 6, "BCDFGLMNPRSTV")
    born = (
        f"{rng.randint(50, 99)}{rng.choice(_MONTHS)}{rng.randint(1, 28) + rng.choice((0, 40)):02}"
    )
    body = f"{names}{born}{rng.choice('ABCDEFGHL')}{rng.randint(101, 899)}"
    total = sum(
        _ODD[letter] if place % 2 else int(letter) if letter.isdigit() else _UPPER.index(letter)
        for place, letter in enumerate(body, start=1)
    )
    return body + _UPPER[total % 26]


def _sg_nric(rng: Random) -> str:
    first, body = rng.choice("ST"), digits(rng, 7)
    total = weighted(body, (2, 7, 6, 5, 4, 3, 2)) + (4 if first == "T" else 0)
    return first + body + _SINGAPORE[total % 11]


def _fi_hetu(rng: Random) -> str:
    born, serial = day(rng), f"{rng.randint(2, 899):03}"
    plain = born[4:] + born[2:4] + born[:2]
    return f"{plain}-{serial}{_FINNISH[int(plain + serial) % 31]}"


def _es_nie(rng: Random) -> str:
    first, body = rng.randint(0, 2), digits(rng, 7)
    return f"{'XYZ'[first]}{body}{_SPANISH[int(f'{first}{body}') % 23]}"


def _es_nif(rng: Random) -> str:
    body = digits(rng, 8)
    return body + _SPANISH[int(body) % 23]


def _uk_nino(rng: Random) -> str:
    first, second = rng.choice("ABCEHJLMPRSW"), rng.choice("ABCEHJLMPRSW")
    body = digits(rng, 6)
    parted = rng.choice(("", " "))
    return parted.join((first + second, body[:2], body[2:4], body[4:], rng.choice("ABCD")))


def _us_mbi(rng: Random) -> str:
    def one(out_of: str) -> str:
        return rng.choice(out_of)

    either = _MEDICARE + string.digits
    return (
        f"{digits(rng, 1, '123456789')}{one(_MEDICARE)}{one(either)}{digits(rng, 1)}-"
        f"{one(_MEDICARE)}{one(either)}{digits(rng, 1)}-"
        f"{one(_MEDICARE)}{one(_MEDICARE)}{digits(rng, 2)}"
    )


def _us_itin(rng: Random) -> str:
    group = rng.choice((*range(50, 66), *range(70, 89), 90, 91, 92, *range(94, 100)))
    return f"9{digits(rng, 2)}-{group}-{rng.randint(1, 9999):04}"


def _us_ssn(rng: Random) -> str:
    area = rng.choice((*range(1, 666), *range(667, 900)))
    return f"{area:03}-{rng.randint(1, 99):02}-{rng.randint(1, 9999):04}"


def _de_social_security(rng: Random) -> str:
    area = rng.choice(("12", "13", "15", "17", "25", "50", "53", "65"))
    born, letter, serial = day(rng), rng.choice(_UPPER), digits(rng, 2)
    dated = born[4:] + born[2:4] + born[:2]
    counted = f"{area}{dated}{_UPPER.index(letter) + 1:02}{serial}"
    check = cross_weighted(counted, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)) % 10
    return f"{area}{dated}{letter}{serial}{check}"


def _de_health_insurance(rng: Random) -> str:
    letter, body = rng.choice(_UPPER), digits(rng, 8)
    counted = f"{_UPPER.index(letter) + 1:02}{body}"
    return f"{letter}{body}{cross_weighted(counted, (1, 2) * 5) % 10}"


def _de_tax_id(rng: Random) -> str:
    """Of the first ten digits one stands there twice, not side by side, and one nowhere."""
    while True:
        chosen = rng.sample(string.digits, 9)
        chosen.insert(rng.randrange(2, 10), chosen[0])
        rng.shuffle(chosen)
        body = "".join(chosen)
        if body[0] != "0" and not any(digit * 2 in body for digit in string.digits):
            whole = body + eleven_ten(body)
            return rng.choice((whole, f"{whole[:2]} {whole[2:5]} {whole[5:8]} {whole[8:]}"))


def _in_aadhaar(rng: Random) -> str:
    while True:
        body = digits(rng, 11, "23456789")
        whole = body + verhoeff(body)
        if whole != whole[::-1]:
            return f"{whole[:4]} {whole[4:8]} {whole[8:]}"


def _kr_rrn(rng: Random) -> str:
    body = f"{day(rng)}{rng.choice('12')}{rng.randint(0, 95):02}{digits(rng, 3)}"
    check = (11 - weighted(body, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return f"{body[:6]}-{body[6:]}{check}"


def _se_personnummer(rng: Random) -> str:
    body = day(rng) + digits(rng, 3)
    return f"{body[:6]}-{body[6:]}{luhn(body)}"


def _pl_pesel(rng: Random) -> str:
    body = day(rng) + digits(rng, 4)
    return f"{body}{-weighted(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10}"


def _tr_national_id(rng: Random) -> str:
    body = digits(rng, 9, "123456789")
    tenth = (7 * sum(map(int, body[::2])) - sum(map(int, body[1::2]))) % 10
    return f"{body}{tenth}{(sum(map(int, body)) + tenth) % 10}"


def _th_tnin(rng: Random) -> str:
    province = rng.choice(_THAI_PROVINCES)
    body = f"{digits(rng, 1, '12345678')}{province}{digits(rng, 9)}"
    check = (11 - weighted(body, range(13, 1, -1)) % 11) % 10
    return f"{body[0]}-{body[1:5]}-{body[5:10]}-{body[10:]}-{check}"


def _za_id(rng: Random) -> str:
    body = f"{day(rng)}{digits(rng, 4)}{rng.choice('01')}8"
    return body + luhn(body)


def _ng_nin(rng: Random) -> str:
    body = digits(rng, 10, "123456789")
    return body + verhoeff(body)


def _au_tfn(rng: Random) -> str:
    while True:
        body = digits(rng, 8, "123456789")
        last = weighted(body, (1, 4, 3, 7, 5, 8, 6, 9)) % 11
        if last < 10:  # noqa: PLR2004
            return f"{body[:3]} {body[3:6]} {body[6:]}{last}"


def _au_medicare(rng: Random) -> str:
    body = digits(rng, 8, "23456")
    check = weighted(body, (1, 3, 7, 9, 1, 3, 7, 9)) % 10
    return f"{body[:4]} {body[4:]}{check} {rng.randint(1, 9)}"


def _ca_sin(rng: Random) -> str:
    body = digits(rng, 8, "12345679")
    return f"{body[:3]}-{body[3:6]}-{body[6:]}{luhn(body)}"


def _uk_nhs(rng: Random) -> str:
    while True:
        body = digits(rng, 9, "46789")
        check = -weighted(body, range(10, 1, -1)) % 11
        if check < 10:  # noqa: PLR2004
            return f"{body[:3]} {body[3:6]} {body[6:]}{check}"


def _in_pan(rng: Random) -> str:
    return f"{_letters(rng, 3)}P{_letters(rng, 1)}{rng.randint(1, 9999):04}{_letters(rng, 1)}"


NATIONAL: Final[dict[str, Make]] = {
    "it_fiscal_code": _it_fiscal_code,
    "in_pan": _in_pan,
    "sg_nric": _sg_nric,
    "fi_hetu": _fi_hetu,
    "es_nie": _es_nie,
    "es_nif": _es_nif,
    "uk_nino": _uk_nino,
    "us_mbi": _us_mbi,
    "us_itin": _us_itin,
    "us_ssn": _us_ssn,
    "de_social_security": _de_social_security,
    "de_health_insurance": _de_health_insurance,
    "de_tax_id": _de_tax_id,
    "in_aadhaar": _in_aadhaar,
    "kr_rrn": _kr_rrn,
    "se_personnummer": _se_personnummer,
    "pl_pesel": _pl_pesel,
    "tr_national_id": _tr_national_id,
    "th_tnin": _th_tnin,
    "za_id": _za_id,
    "ng_nin": _ng_nin,
    "au_tfn": _au_tfn,
    "au_medicare": _au_medicare,
    "ca_sin": _ca_sin,
    "uk_nhs": _uk_nhs,
}
