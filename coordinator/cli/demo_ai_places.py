"""Where the demo's data set has personal data, and what looks like it and is none.

People say what a number is, or a form's field does; a number that nobody could tell is not planted.
"""

import uuid
from random import Random
from typing import Final

from coordinator.cli.demo_ai_ids import NATIONAL
from coordinator.cli.demo_ai_values import COMMON, Make, digits, luhn

MAKERS: Final[dict[str, Make]] = {**COMMON, **NATIONAL}

# The field of a form, and what people write.
PLACES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "email": ("email", ("You can write to {}.", "Mail went to {}, no answer.", "({})")),
    "phone": ("phone", ("Call me at {} after six.", "My phone is {}.", "Tel. {}")),
    "card": ("cardNumber", ("The card {} was charged twice.", "Paid with {} yesterday.")),
    "iban": ("iban", ("Please refund to {} soon.", "IBAN: {}")),
    "ip": ("clientIp", ("The login came from {}.", "Blocked {} for an hour.")),
    "it_fiscal_code": ("codiceFiscale", ("Il mio codice fiscale: {}.", "CF {}")),
    "in_pan": ("pan", ("My PAN is {}.",)),
    "sg_nric": ("nric", ("NRIC {} was checked at the door.",)),
    "fi_hetu": ("hetu", ("Henkilötunnus on {}.",)),
    "es_nie": ("nie", ("Mi NIE es {}.",)),
    "es_nif": ("dni", ("Mi DNI es {}.", "NIF {}")),
    "uk_nino": ("nino", ("My National Insurance number is {}.",)),
    "us_mbi": ("mbi", ("Medicare beneficiary {} asked again.",)),
    "us_itin": ("itin", ("The taxpayer gave {} as ITIN.",)),
    "us_ssn": ("ssn", ("Her SSN is {}.", "Social security: {}")),
    "de_social_security": ("rentenversicherung", ("Meine Rentenversicherungsnummer: {}.",)),
    "de_health_insurance": ("kvnr", ("Versichertennummer {} auf der Gesundheitskarte.",)),
    "de_tax_id": ("steuerId", ("Meine Steuer-ID lautet {}.",)),
    "in_aadhaar": ("aadhaar", ("Aadhaar {} was verified.",)),
    "kr_rrn": ("rrn", ("The resident registration number is {}.",)),
    "se_personnummer": ("personnummer", ("Mitt personnummer är {}.",)),
    "pl_pesel": ("pesel", ("Mój PESEL to {}.",)),
    "tr_national_id": ("tcKimlik", ("T.C. kimlik no: {}.",)),
    "th_tnin": ("thaiId", ("Thai national ID {} on the form.",)),
    "za_id": ("identityNumber", ("The South African ID number is {}.",)),
    "ng_nin": ("nin", ("My NIN is {}.",)),
    "au_tfn": ("tfn", ("My tax file number is {}.", "TFN {}")),
    "au_medicare": ("medicare", ("Medicare card {} was scanned.",)),
    "ca_sin": ("sin", ("My social insurance number is {}.",)),
    "uk_nhs": ("nhsNumber", ("NHS number {} is on the letter.",)),
}


def _failing(body: str) -> str:
    """Add a digit that is not the check digit."""
    return body + str((int(luhn(body)) + 1 + int(body[-1]) % 8) % 10)


def _sold_out(rng: Random) -> str:
    body = _failing("4" + digits(rng, 14))
    return f"Article {' '.join(body[at : at + 4] for at in range(0, 16, 4))} is sold out."


def _dates(rng: Random) -> str:
    year, month, date = rng.randint(2019, 2026), rng.randint(1, 12), rng.randint(1, 28)
    return f"Delivered on {date:02}.{month:02}.{year}, paid on {year}/{month:02}/{date:02}."


def _prices(rng: Random) -> str:
    thousands = rng.randint(1, 9), rng.randint(1, 9)
    return (
        f"It costs {thousands[0]},{digits(rng, 3)}.{digits(rng, 2)} USD or "
        f"{thousands[1]}.{digits(rng, 3)},{digits(rng, 2)} EUR."
    )


def _commit(rng: Random) -> str:
    return f"The fix is commit {rng.getrandbits(160):040x}."


# What is no personal data, however it looks.
_DECOYS: Final[tuple[Make, ...]] = (
    _sold_out,
    _dates,
    _prices,
    _commit,
    lambda rng: f"Order ORD-{rng.randint(190101, 261228)}-{digits(rng, 4)} arrived.",
    lambda rng: f"Invoice INV-{rng.randint(2019, 2026)}-{digits(rng, 6)} is open.",
    lambda rng: f"Since version {rng.randint(1, 30)}.{rng.randint(0, 30)}.{rng.randint(0, 9)}.",
    lambda rng: f"Firmware version {rng.randint(1, 30)}.{rng.randint(0, 99)}.4.1 hangs.",
    lambda rng: f"Session {uuid.UUID(int=rng.getrandbits(128), version=4)} ended.",
    lambda rng: (
        f"Logged at {rng.randint(2019, 2026)}-05-1{digits(rng, 1)}T14:07:11.{digits(rng, 3)}Z."
    ),
    lambda rng: f"Parcel 1Z{digits(rng, 3)}AA1{digits(rng, 10)} is late.",
    lambda rng: f"ISBN 978-3-16-{digits(rng, 6)}-{digits(rng, 1)} is out of print.",
    lambda rng: f"The depot is at {rng.randint(40, 59)}.{digits(rng, 6)}, 9.{digits(rng, 6)}.",
    lambda rng: f"Thanks to @{rng.choice(('anna', 'goran', 'katya'))}_{digits(rng, 2)} for it.",
    lambda rng: f"Open from {rng.randint(7, 9)}:30 to 17:45, ratio 16:9, row {digits(rng, 5)}.",
    lambda rng: f"The network card has 00:1A:{digits(rng, 2)}:3C:{digits(rng, 2)}:5E on its label.",
    lambda rng: f"Serial SN{digits(rng, 10)} and batch {digits(rng, 8)} were recalled.",
    lambda rng: f"{rng.randint(10, 39)}.{digits(rng, 3)} degrees were seen {digits(rng, 2)} times.",
    lambda rng: f"See page {digits(rng, 3)} of {digits(rng, 4)}, section 4.1.2.",
)


def decoy(rng: Random) -> str:
    """Return one sentence of them."""
    return rng.choice(_DECOYS)(rng)
