"""What is taken for personal data: planted truth, its measures, and single texts."""

import doctest
import json
from collections import Counter
from random import Random
from types import ModuleType
from typing import Final, NamedTuple

import pytest

from coordinator.domain import pii_kinds
from coordinator.jobs import (
    pii_candidates,
    pii_masking,
    pii_patterns,
    pii_redaction,
    pii_values,
)
from coordinator.jobs.pii_finding import Finder, finder
from coordinator.jobs.pii_rows import judged_line
from tests.jobs.innocents import innocent
from tests.jobs.planting import KINDS

_ALL: Final = tuple(kind for kind in pii_kinds.KINDS if kind != pii_kinds.NAME)
_WORDS: Final = ("the", "report", "about", "late", "orders", "says", "that", "our", "team", "did")
_ROWS: Final = 6_000
_FULL_WIDTH: Final = {code: code + 0xFEE0 for code in range(0x30, 0x3A)}
_ARABIC: Final = {code: code + 0x630 for code in range(0x30, 0x3A)}


class Planted(NamedTuple):
    """Where one finding is."""

    row: int
    column: str
    kind: str
    text: str


@pytest.fixture(scope="module")
def look() -> Finder:
    """A finder of everything that needs no model."""
    return finder(_ALL)


def found(look: Finder, text: str, column: str = "/text") -> list[tuple[str, str]]:
    """Say what is found in one text."""
    return [(f.kind, text[f.start : f.end]) for f in look.find_fully(text, column)]


def planted(random: Random, count: int) -> tuple[list[bytes], set[Planted]]:
    """Make rows full of numbers, a third of them with something planted, in text or in a column."""
    lines, truth = [], set()
    for place in range(count):
        words = [random.choice(_WORDS) for _ in range(random.randrange(10, 40))]
        for _ in range(random.randrange(3)):
            words.insert(random.randrange(len(words)), innocent(random))
        row = {
            "id": place,
            "text": " ".join(words),
            "score": random.random(),
            "ref": innocent(random),
        }
        kind = random.choice(list(KINDS))
        make, word = KINDS[kind]
        value = make(random)
        if place % 6 == 0:
            row["text"] = f"{row['text']} {word} {value}, {random.choice(_WORDS)}"
            truth.add(Planted(place, "/text", kind, value))
        elif place % 6 == 1:
            row["nested"] = [{word.lower().replace(" ", "_") or "value": value}]
            column = f"/nested/*/{word.lower().replace(' ', '_') or 'value'}"
            truth.add(Planted(place, column, kind, value))
        lines.append(json.dumps(row, ensure_ascii=random.random() < 0.5).encode())
    return lines, truth


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_planted_is_found_and_nothing_else(look: Finder, seed: int) -> None:
    """Recall 1.0 and precision .99 of every kind, among numbers that are nobody's."""
    lines, truth = planted(Random(seed), _ROWS)

    seen = {
        Planted(row, hit.column, each.kind, hit.text[each.start : each.end])
        for row, line in enumerate(lines)
        for hit in judged_line(look, row, line, "jsonl").hits
        for each in hit.findings
    }

    measures = {}
    for kind in KINDS:
        true, positive = ({each for each in of if each.kind == kind} for of in (truth, seen))
        assert len(true) > 50, "enough of each kind is planted"
        measures[kind] = (len(true & positive) / len(true), len(true & positive) / len(positive))
        print(kind, *measures[kind])  # noqa: T201  # pytest shows it with -s, or on failure
    assert {kind: recall for kind, (recall, _) in measures.items() if recall < 1} == {}
    assert {kind: precise for kind, (_, precise) in measures.items() if precise < 0.99} == {}
    assert {each.kind for each in seen} == set(KINDS)


def test_what_is_nobodys_is_hardly_ever_reported(look: Finder) -> None:
    """Of 8,000 numbers that are none of the kinds, four may pass for one."""
    random = Random(3)

    false = Counter(
        kind for _ in range(8_000) for kind, _ in found(look, f"see {innocent(random)} there")
    )

    assert false.total() <= 4, false


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<mailto:Bob.O'Neil@Example.ORG>,", [("email", "Bob.O'Neil@Example.ORG")]),
        ("a@b", []),
        ("user@host.nosuchtld", []),
        ("üñí@bücher.example", [("email", "üñí@bücher.example")]),
        ("call +1 555 123 4567x89", [("phone", "+1 555 123 4567x89")]),
        ("4111 1111 1111 1111 12/27", [("card", "4111 1111 1111 1111")]),
        ("4111-1111-1111-1112", []),
        ("0.4111111111111111", []),
        ("DE89 3704 0044 0532 0130 00 TEXT", [("iban", "DE89 3704 0044 0532 0130 00")]),
        ("DE88 3704 0044 0532 0130 00", []),
        ("123-45-6789", [("us_ssn", "123-45-6789")]),
        ("666-45-6789", []),
        ("fe80::1 and 2001:db8::1", [("ip", "fe80::1"), ("ip", "2001:db8::1")]),
        ("127.0.0.1 ::1 10:30:00 1.2.3.4.5", []),
        ("+49 30 1234567", [("phone", "+49 30 1234567")]),
    ],
)
def test_single_texts(look: Finder, text: str, expected: list[tuple[str, str]]) -> None:
    """Boundaries, check digits, other scripts, and spaces of typography."""
    assert found(look, text) == expected


@pytest.mark.parametrize("script", [_FULL_WIDTH, _ARABIC])
def test_digits_of_other_scripts_are_digits(look: Finder, script: dict[int, int]) -> None:
    """Else whoever writes them is not protected, and whoever wants to can hide a card in them."""
    card, phone = "4111111111111111".translate(script), "+49 30 1234567".translate(script)

    assert found(look, f"{card}\u00a0{phone}") == [("card", card), ("phone", phone)]


@pytest.mark.parametrize(
    ("text", "column", "kinds"),
    [
        ("2125551234", "/order", []),
        ("2125551234", "/phoneNumber", ["phone"]),
        ("4915112345678", "/user/mobile", ["phone"]),
        ("2125551234", "<PHONE>", []),
        ("44051401359", "/id", []),
        ("44051401359", "/PESEL", ["pl_pesel"]),
        ("her PESEL is 44051401359", "", ["pl_pesel"]),
        ("PESEL unknown" + " x" * 40 + " 44051401359", "", []),
        ("123456782", "/tax_file_number", ["au_tfn"]),
        ("123456782", "/sin", ["ca_sin"]),
        ("4222222222222", "/n", []),
        ("4222222222222", "/creditCard", ["card"]),
    ],
)
def test_plain_digits_count_where_a_word_says_what_they_are(
    look: Finder, text: str, column: str, kinds: list[str]
) -> None:
    """One of ten order numbers has the right check digit."""
    assert [kind for kind, _ in found(look, text, column)] == kinds


# Its check digits are right for both.
_PESEL_AND_TCKN: Final = "65080289806"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("PESEL {0}, T.C. kimlik no {0}", ["pl_pesel", "tr_national_id"]),
        ("T.C. kimlik no {0}, PESEL {0}", ["tr_national_id", "pl_pesel"]),
        ("her PESEL is {0} (kimlik unknown)", ["pl_pesel"]),
        ("{0} (TCKN), and the PESEL", ["tr_national_id"]),
    ],
)
def test_the_nearest_word_says_which_of_two_kinds_a_number_is(
    look: Finder, text: str, kinds: list[str]
) -> None:
    """What stands before a number tells more than what stands after it."""
    assert [kind for kind, _ in found(look, text.format(_PESEL_AND_TCKN))] == kinds


def test_kinds_and_countries_narrow() -> None:
    """Somebody who asks for Spain's does not want all of them."""
    assert pii_kinds.chosen((), ("UK",)) == (
        "email", "iban", "card", "uk_nino", "uk_nhs", "ip", "phone", "name",
    )  # fmt: skip
    assert pii_kinds.chosen(("national_id",), ("ES",)) == ("es_nie", "es_nif")
    assert pii_kinds.chosen((), ()) == pii_kinds.KINDS
    for kinds, countries in ((("ssn",), ()), ((), ("XX",)), (("us_ssn",), ("ES",))):
        with pytest.raises(pii_kinds.UnknownKindError):
            pii_kinds.chosen(kinds, countries)


@pytest.mark.parametrize(
    "module",
    [pii_candidates, pii_kinds, pii_masking, pii_patterns, pii_redaction, pii_values],
)
def test_examples_hold(module: ModuleType) -> None:
    """Docstrings show what functions do."""
    done = doctest.testmod(module)

    assert done.attempted
    assert not done.failed
