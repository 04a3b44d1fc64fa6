"""How each kind of personal data is written: patterns that hyperscan and Python's re both read.

A shape is written either so that it hardly stands for anything else (``sure``: groups, letters, a
leading plus), or as plain digits that could be an order number: one of ten or eleven passes a check
digit by chance. Such a shape is judged only near a word that says what it is (``unsure``), in the
text around it or in the name of its column. Presidio alone reports them all.

Rule: bodies are ASCII and say nothing of what stands around them; so a prefilter that looks for
bodies in raw bytes misses nothing that Python finds in the text.
"""

from types import MappingProxyType
from typing import Final

import msgspec

from coordinator.domain import pii_kinds as kinds


class Shapes(msgspec.Struct, frozen=True):
    """How one kind is written."""

    sure: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()

    words: str = ""
    """What must stand near the unsure ones: one pattern for text in lower case, in which
    whatever parts words is a space."""

    caseless: bool = False

    hints: tuple[str, ...] = ()
    """What stands in each sure one, where that is simpler to look for than all of it."""


# Digits behind digits, or behind a decimal point, begin nothing. That no letter stands before them
# cannot be asked of raw bytes: it could be the end of \n.
FIRST: Final = r"(?:^[.]?|[^0-9.]|[^0-9][.])"

_CARD_16: Final = (
    r"4[0-9]{3}(?:[ -]?[0-9]{4}){3}",  # Visa
    r"5[1-5][0-9]{2}(?:[ -]?[0-9]{4}){3}",  # Mastercard
    r"2[2-7][0-9]{2}(?:[ -]?[0-9]{4}){3}",
    r"6[0-9]{3}(?:[ -]?[0-9]{4}){3}",  # Discover, UnionPay, Maestro, RuPay
    r"35[0-9]{2}(?:[ -]?[0-9]{4}){3}",  # JCB
)
_CARD_OTHERS: Final = (
    r"3[47][0-9]{13}",  # American Express
    r"3[47][0-9]{2}[ -][0-9]{6}[ -][0-9]{5}",
    r"3(?:0[0-5]|[689][0-9])[0-9]{11}",  # Diners
    r"3(?:0[0-5]|[689][0-9])[0-9][ -][0-9]{6}[ -][0-9]{4}",
    r"(?:4|6)[0-9]{3}(?:[ -][0-9]{4}){3}[ -][0-9]{3}",  # 19 digits, in groups
)
_GROUP: Final = r"[0-9A-Fa-f]{1,4}"

_PHONE_WORDS: Final = (
    r"phone|telefon|t.{1,2}l.{1,2}phone|\btel\b|mobil|m.{1,2}vil|\bfax\b|whatsapp|msisdn|\bsms\b|handy"
    r"|\bdial\b|hotline|call (?:me|us|him|her|them|now|at|on)\b|reach me"
)

SHAPES: Final = MappingProxyType(
    {
        # Only so much that an address is not missed: what it is, pii_finding tells.
        kinds.EMAIL: Shapes(
            sure=(r"[-!#$%&'*+/=?^_`{|}~.0-9A-Za-z\x80-\xff]@[-0-9A-Za-z_\x80-\xff]+[.]",)
        ),
        kinds.IBAN: Shapes(sure=(r"[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2}",)),
        kinds.CARD: Shapes(
            sure=(*_CARD_16, *_CARD_OTHERS),
            unsure=(r"4[0-9]{12}", r"(?:4|6)[0-9]{18}"),
            words=r"\bcard|credit|debit|visa\b|maestro|unionpay|\bcc\b|\bpan\b|kreditkarte|tarjeta",
            hints=(
                FIRST + r"[2-6][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{2}",
                FIRST + r"3[0-9]{3}[ -][0-9]{6}[ -][0-9]{4}",
            ),
        ),
        "it_fiscal_code": Shapes(
            sure=(r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]",),
            caseless=True,
        ),
        "in_pan": Shapes(
            sure=(r"[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z]",),
            unsure=(r"[A-Za-z]{5}[0-9]{4}[A-Za-z]",),
            words=r"\bpan\b|permanent account",
        ),
        "sg_nric": Shapes(
            sure=(r"[STFGM][0-9]{7}[A-Z]",),
            unsure=(r"[stfgm][0-9]{7}[a-z]",),
            words=r"\bnric|\bfin\b",
        ),
        "fi_hetu": Shapes(sure=(r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]",)),
        "es_nie": Shapes(
            sure=(r"[XYZ][0-9]{7}-?[A-Z]",),
            unsure=(r"[xyz][0-9]{7}-?[a-z]",),
            words=r"\bnie\b|extranjero",
        ),
        "es_nif": Shapes(
            sure=(r"[0-9]{8}-?[A-Z]",),
            unsure=(r"[0-9]{7,8}-?[A-Za-z]",),
            words=r"\bnif\b|\bdni\b|documento",
        ),
        "uk_nino": Shapes(
            sure=(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]",),
            unsure=(r"[a-z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[a-d]",),
            words=r"\bnino?\b|national insurance|insurance n",
        ),
        "us_mbi": Shapes(
            sure=(r"[1-9][A-Z][0-9A-Z][0-9]-[A-Z][0-9A-Z][0-9]-[A-Z]{2}[0-9]{2}",),
            unsure=(r"[1-9][A-Z][0-9A-Z][0-9][A-Z][0-9A-Z][0-9][A-Z]{2}[0-9]{2}",),
            words=r"\bmbi\b|medicare|beneficiary",
        ),
        "us_itin": Shapes(
            sure=(r"9[0-9]{2}-[0-9]{2}-[0-9]{4}",),
            unsure=(r"9[0-9]{2}[- ]?[0-9]{2}[- ]?[0-9]{4}",),
            words=r"\bitin\b|taxpayer|tax ?id|\btin\b",
        ),
        "us_ssn": Shapes(
            sure=(r"[0-8][0-9]{2}-[0-9]{2}-[0-9]{4}",),
            unsure=(r"[0-8][0-9]{2}[-. ]?[0-9]{2}[-. ]?[0-9]{4}",),
            words=r"\bssn|social ?sec|\bssid\b|\bsoc\b",
        ),
        "de_social_security": Shapes(
            sure=(r"[0-9]{8}[A-Z][0-9]{3}", r"[0-9]{2} [0-9]{6} [A-Z] [0-9]{3}"),
        ),
        "de_health_insurance": Shapes(
            unsure=(r"[A-Za-z][0-9]{9}",),
            words=r"versicher|\bkvnr\b|krankenkasse|gesundheitskarte|\begk\b|\bgkv\b",
        ),
        "de_tax_id": Shapes(
            unsure=(r"[1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}",),
            words=r"steuer|\bidnr\b|identifikationsnummer|\bbzst\b|\btin\b|tax ?id",
        ),
        "in_aadhaar": Shapes(
            sure=(r"[2-9][0-9]{3}[- ][0-9]{4}[- ][0-9]{4}",),
            unsure=(r"[2-9][0-9]{3}:?[0-9]{4}:?[0-9]{4}",),
            words=r"aadha+r|uidai|\buid\b",
        ),
        "kr_rrn": Shapes(
            sure=(r"[0-9]{6}-[1-4][0-9]{6}",),
            unsure=(r"[0-9]{6}-?[1-4][0-9]{6}",),
            words=r"\brrn\b|resident reg|jumin",
        ),
        "se_personnummer": Shapes(
            sure=(r"(?:19|20)[0-9]{6}[-+][0-9]{4}", r"[0-9]{6}[-+][0-9]{4}"),
            unsure=(r"[0-9]{6,8}[-+]?[0-9]{4}",),
            words=r"person ?n(?:ummer|r|umber)|samordning|personal id",
        ),
        "pl_pesel": Shapes(unsure=(r"[0-9]{11}",), words=r"pesel"),
        "tr_national_id": Shapes(
            unsure=(r"[1-9][0-9]{10}",),
            words=r"\btckn\b|kimlik|t\.?c\.? ?(?:no|kimlik)|national id",
        ),
        "th_tnin": Shapes(
            sure=(r"[1-9]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9]",),
            unsure=(r"[1-9][0-9]{12}",),
            words=r"\btnin\b|thai|national id",
        ),
        "za_id": Shapes(
            unsure=(r"[0-9]{10}[0-2][89][0-9]",),
            words=r"\brsa\b|south african|smart id|\bid n(?:o|umber)\b|national id|identity",
        ),
        "ng_nin": Shapes(unsure=(r"[0-9]{11}",), words=r"\bnin\b|\bnimc\b|national id|nigeria"),
        "au_tfn": Shapes(unsure=(r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}",), words=r"\btfn\b|tax file"),
        "au_medicare": Shapes(
            sure=(r"[2-6][0-9]{3} [0-9]{5} [0-9]",),
            unsure=(r"[2-6][0-9]{9}",),
            words=r"medicare",
        ),
        "ca_sin": Shapes(
            sure=(r"[1-79][0-9]{2}-[0-9]{3}-[0-9]{3}",),
            unsure=(r"[1-79][0-9]{2}[- ]?[0-9]{3}[- ]?[0-9]{3}",),
            words=r"\bsin\b|social insurance|\bnas\b|assurance sociale",
        ),
        "uk_nhs": Shapes(
            unsure=(r"[0-9]{3}[- ]?[0-9]{3}[- ]?[0-9]{4}",), words=r"\bnhs\b|national health"
        ),
        kinds.IP: Shapes(
            hints=(
                r"[0-9][.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]",
                rf"[0-9A-Fa-f]:(?:{_GROUP}:){{6}}[0-9A-Fa-f]",
                r"[0-9A-Fa-f]::[0-9A-Fa-f]",
                rf"[0-9A-Fa-f]:{_GROUP}::",
            ),
        ),
        kinds.PHONE: Shapes(
            sure=(
                r"[+] ?[(]?[1-9](?:[ ().\x2f-]{0,3}[0-9]){6,14}",
                r"[(][2-9][0-9]{2}[)][ .-]{0,2}[2-9][0-9]{2}[ .-]?[0-9]{4}",
                r"[2-9][0-9]{2}[ .\x2f-][2-9][0-9]{2}[ .-][0-9]{4}",
                r"1[ .-][(]?[2-9][0-9]{2}[)]?[ .-][2-9][0-9]{2}[ .-][0-9]{4}",
                r"[(]0[0-9]{1,5}[)](?:[ .\x2f-]{0,3}[0-9]{1,8}){1,5}",
                r"0[0-9]{1,5}(?:[ \x2f-]{1,3}[0-9]{1,8}){1,5}",
                r"0[1-9](?:[.][0-9]{2}){4}",
                r"[(][1-9][0-9][)] ?9?[0-9]{4}[- ][0-9]{4}",
                r"[1-9][0-9] 9[0-9]{4}-[0-9]{4}",
            ),
            unsure=(r"[0-9](?:[ ().\x2f-]{0,2}[0-9]){6,14}",),
            words=_PHONE_WORDS,
            hints=(
                r"[+] ?[(]?[1-9](?:[ ().\x2f-]{0,3}[0-9]){6}",
                r"[(][02-9][0-9]{1,5}[)][ .\x2f-]{0,3}[0-9]",
                FIRST + r"[2-9][0-9]{2}[ .\x2f-][2-9][0-9]{2}[ .-][0-9]{4}",
                r"[(][2-9][0-9]{2}[)]?[ .-][2-9][0-9]{2}[ .-][0-9]{4}",
                FIRST + r"0[0-9]{1,3}[ \x2f-]{1,3}[0-9](?:[ \x2f-]{0,3}[0-9]){4}",
                FIRST + r"0[0-9]{4,5}[ \x2f-]{1,3}[0-9](?:[ \x2f-]{0,3}[0-9]){2}",
                FIRST + r"0[1-9](?:[.][0-9]{2}){4}",
                r"[(][1-9][0-9][)] ?9?[0-9]{4}[- ][0-9]{4}",
                FIRST + r"[1-9][0-9] 9[0-9]{4}-[0-9]{4}",
            ),
        ),
    }
)
