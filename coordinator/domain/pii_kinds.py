"""The kinds of personal data that can be looked for, by name and country. Pure.

Rule: a name, once published, is never changed: results, parameters and placeholders carry it.
"""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

EMAIL: Final = "email"
PHONE: Final = "phone"
CARD: Final = "card"
IBAN: Final = "iban"
IP: Final = "ip"
NAME: Final = "name"

# A group: whoever asks for it gets the ids of all countries asked for.
NATIONAL_ID: Final = "national_id"

# Where ids overlap (an IBAN holds what looks like a card), the first of these is right.
COUNTRY_OF: Final = MappingProxyType(
    {
        "it_fiscal_code": "IT",
        "in_pan": "IN",
        "sg_nric": "SG",
        "fi_hetu": "FI",
        "es_nie": "ES",
        "es_nif": "ES",
        "uk_nino": "GB",
        "us_mbi": "US",
        "us_itin": "US",
        "us_ssn": "US",
        "de_social_security": "DE",
        "de_health_insurance": "DE",
        "de_tax_id": "DE",
        "in_aadhaar": "IN",
        "kr_rrn": "KR",
        "se_personnummer": "SE",
        "pl_pesel": "PL",
        "tr_national_id": "TR",
        "th_tnin": "TH",
        "za_id": "ZA",
        "ng_nin": "NG",
        "au_tfn": "AU",
        "au_medicare": "AU",
        "ca_sin": "CA",
        "uk_nhs": "GB",
    }
)

KINDS: Final = (EMAIL, IBAN, CARD, *COUNTRY_OF, IP, PHONE, NAME)

_ALIASES: Final = {"UK": "GB"}


class UnknownKindError(ValueError):
    """A kind, or a country, of which nothing is known. Its text is safe to show."""


def chosen(kinds: Iterable[str], countries: Iterable[str]) -> tuple[str, ...]:
    """Return the kinds to look for, in the order of ``KINDS``; nothing named means all.

    >>> chosen(["national_id", "email"], ["ES"])
    ('email', 'es_nie', 'es_nif')

    Raises:
        UnknownKindError: a kind or a country is unknown, or a kind is of another country.

    """
    wanted = set(kinds) or {*KINDS}
    places = {_ALIASES.get(country.upper(), country.upper()) for country in countries}
    unknown = sorted(wanted - {*KINDS, NATIONAL_ID})
    if unknown:
        raise UnknownKindError(f"{unknown[0]!r} is no kind; these are: {', '.join(KINDS)}.")
    known = {*COUNTRY_OF.values()}
    if places - known:
        raise UnknownKindError(
            f"No ids of {min(places - known)} are known; these are: {', '.join(sorted(known))}."
        )
    for name in sorted(set(kinds) & set(COUNTRY_OF)):
        if places and COUNTRY_OF[name] not in places:
            raise UnknownKindError(f"{name!r} is no id of {', '.join(sorted(places))}.")
    return tuple(name for name in KINDS if _is_wanted(name, wanted, places))


def _is_wanted(name: str, wanted: set[str], places: set[str]) -> bool:
    if name not in wanted and not (name in COUNTRY_OF and NATIONAL_ID in wanted):
        return False
    return name not in COUNTRY_OF or not places or COUNTRY_OF[name] in places


def placeholder(kind: str) -> str:
    """Return what stands for a finding in a redacted copy.

    >>> placeholder("us_ssn")
    '<US_SSN>'

    """
    return f"<{kind.upper()}>"
