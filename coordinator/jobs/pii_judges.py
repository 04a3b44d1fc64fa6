"""Presidio's recognizers as judges: each is given one candidate and says what it is.

Their check digits, number plans and lists of suffixes decide. Their scores do not: what stands near
a candidate, and how it is written, was weighed before (pii_shapes), and presidio weighs neither
without a language model.

Rule: presidio is imported when the first candidate is there (it takes a second or two, and 100 MB).
No model is loaded, and nothing is fetched: the public suffixes are those that came with it.
"""

import logging
from collections.abc import Callable
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from coordinator.domain import pii_kinds as kinds

Judge = Callable[[str], list[tuple[int, int]]]

# Addresses in these are somebody's, though no registry sells them (RFC 6761, RFC 6762).
_OWN_DOMAINS: Final = frozenset({"example", "test", "invalid", "local", "internal", "lan", "corp"})

# Printed in so many forms and manuals that presidio leaves them out. Here they are what is planted.
_PRINTED_SSNS: Final = frozenset({"123456789", "987654320", "078051120"})

# Addresses of nobody.
_NOBODY: Final = frozenset({"0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1"})  # noqa: S104

# Presidio's default, without Canada: its numbers are part of the plan of the United States.
REGIONS: Final = ("US", "GB", "DE", "FR", "IL", "IN", "BR")

RECOGNIZERS: Final = MappingProxyType(
    {
        kinds.IBAN: "IbanRecognizer",
        kinds.IP: "IpRecognizer",
        "it_fiscal_code": "ItFiscalCodeRecognizer",
        "in_pan": "InPanRecognizer",
        "fi_hetu": "FiPersonalIdentityCodeRecognizer",
        "es_nie": "EsNieRecognizer",
        "es_nif": "EsNifRecognizer",
        "uk_nino": "UkNinoRecognizer",
        "us_mbi": "UsMbiRecognizer",
        "us_itin": "UsItinRecognizer",
        "de_social_security": "DeSocialSecurityRecognizer",
        "de_health_insurance": "DeHealthInsuranceRecognizer",
        "de_tax_id": "DeTaxIdRecognizer",
        "in_aadhaar": "InAadhaarRecognizer",
        "kr_rrn": "KrRrnRecognizer",
        "se_personnummer": "SePersonnummerRecognizer",
        "pl_pesel": "PlPeselRecognizer",
        "tr_national_id": "TrNationalIdRecognizer",
        "th_tnin": "ThTninRecognizer",
        "ng_nin": "NgNinRecognizer",
        "au_tfn": "AuTfnRecognizer",
        "au_medicare": "AuMedicareRecognizer",
        "ca_sin": "CaSinRecognizer",
        "uk_nhs": "NhsRecognizer",
    }
)

# Presidio knows these without separators only.
_JOINED: Final = frozenset({"de_tax_id", "de_social_security", "th_tnin"})

# Presidio reports these with a lower score when the check digit is wrong.
_CHECKED: Final = frozenset({"it_fiscal_code", "kr_rrn"})


@lru_cache(maxsize=64)
def judge(kind: str) -> Judge:
    """Return what says which part of a candidate is of this kind, if any."""
    return _email() if kind == kinds.EMAIL else _whole(kind)


@lru_cache(maxsize=512)
def phones(region: str, leniency: int) -> Judge:
    """Return what finds a country's phone numbers, and others that begin with a plus."""
    recognizer = _presidio().PhoneRecognizer(supported_regions=(region,), leniency=leniency)
    return _spans(recognizer)


def _presidio() -> Any:
    from presidio_analyzer import predefined_recognizers  # noqa: PLC0415  # takes a second

    # It logs what it could not judge.
    logging.getLogger("presidio-analyzer").propagate = False
    return predefined_recognizers


def _spans(recognizer: Any) -> Judge:
    entities = recognizer.supported_entities

    def spans(text: str) -> list[tuple[int, int]]:
        return [(each.start, each.end) for each in recognizer.analyze(text, entities)]

    return spans


def _whole(kind: str) -> Judge:
    recognizer = _recognizer(kind)
    entities = recognizer.supported_entities
    least = 1.0 if kind in _CHECKED else 0.0
    is_joined = kind in _JOINED

    def spans(text: str) -> list[tuple[int, int]]:
        judged = text.replace(" ", "").replace("-", "") if is_joined else text
        if kind == kinds.IP and text in _NOBODY:
            return []
        for found in recognizer.analyze(judged, entities):
            if found.score >= least and (found.start, found.end) == (0, len(judged)):
                return [(0, len(text))]
        return []

    return spans


def _recognizer(kind: str) -> Any:
    special = {"us_ssn": _ssn, "sg_nric": _nric, "za_id": _za_id, kinds.CARD: _card}
    if kind in special:
        return special[kind]()
    return getattr(_presidio(), RECOGNIZERS[kind])()


def _email() -> Judge:
    import tldextract  # noqa: PLC0415  # not without an e-mail in sight

    suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    class Email(_presidio().EmailRecognizer):  # type: ignore[misc]  # presidio has no types
        def validate_result(self, pattern_text: str) -> bool:
            """Presidio's own asks the network for the list of suffixes."""
            domain = pattern_text.rpartition("@")[2].lower()
            return (
                domain.rpartition(".")[2] in _OWN_DOMAINS or suffixes.extract_str(domain).fqdn != ""
            )

    return _spans(Email())


def _card() -> Any:
    """Luhn's sum of whatever digits are shown: presidio's pattern knows too few brands."""
    from presidio_analyzer import Pattern  # noqa: PLC0415

    digits = Pattern("digits", r"\b[0-9](?:[ -]?[0-9]){11,18}\b", 0.3)
    return _presidio().CreditCardRecognizer(patterns=[digits])


def _ssn() -> Any:
    class Ssn(_presidio().UsSsnRecognizer):  # type: ignore[misc]
        def invalidate_result(self, pattern_text: str) -> bool:
            digits = "".join(filter(str.isdigit, pattern_text))
            separators = set(pattern_text) - set("0123456789")
            if digits in _PRINTED_SSNS:
                return len(separators) > 1
            return bool(super().invalidate_result(pattern_text))

    return Ssn()


def _nric() -> Any:
    class Nric(_presidio().SgFinRecognizer):  # type: ignore[misc]
        def validate_result(self, pattern_text: str) -> bool:
            """Presidio leaves the check letter out (weights 2 7 6 5 4 3 2, mod 11)."""
            first, digits, letter = pattern_text[0], pattern_text[1:-1], pattern_text[-1]
            total = sum(int(d) * w for d, w in zip(digits, (2, 7, 6, 5, 4, 3, 2), strict=True))
            total += {"T": 4, "G": 4, "M": 3}.get(first.upper(), 0)
            letters = {"S": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "M": "KLJNPQRTUWX"}
            series = {"T": "S", "G": "F"}.get(first.upper(), first.upper())
            if series not in letters:
                return False
            place = 10 - total % 11 if series == "M" else total % 11
            return letters[series][place] == letter.upper()

    return Nric()


def _za_id() -> Any:
    class ZaId(_presidio().ZaIdNumberRecognizer):  # type: ignore[misc]
        @staticmethod
        def _has_valid_birth_date(date_part: str) -> bool:
            """Presidio asks for today's date; a job must not."""
            return 1 <= int(date_part[2:4]) <= 12 and 1 <= int(date_part[4:6]) <= 31  # noqa: PLR2004

    return ZaId()
