"""The parts of ``coordinator demo-ai``: it finds what is wrong, or its report proves nothing."""

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

import httpx
import pytest
from standardwebhooks import Webhook

from coordinator.adapters import clock
from coordinator.cli import demo_ai_data, demo_ai_texts
from coordinator.cli.demo_ai_places import MAKERS, PLACES
from coordinator.cli.demo_ai_receiver import EVENTS, TRAINER, receiving
from coordinator.cli.demo_ai_redacted import compare
from coordinator.cli.demo_ai_report import Check, Measure, table_of_checks, table_of_kinds
from coordinator.domain.pii_kinds import COUNTRY_OF, KINDS, NAME

_ROWS: Final = 3_000


def _placeholder(kind: str) -> str:
    return f"<{kind.upper()}>"


def test_the_data_are_the_same_each_time_and_others_by_another_seed(tmp_path: Path) -> None:
    """A run that went wrong can be looked at again."""
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))

    truth = demo_ai_data.write(one, rows=_ROWS, seed=1)

    assert demo_ai_data.write(two, rows=_ROWS, seed=1) == truth
    assert one.read_bytes() == two.read_bytes()
    assert demo_ai_data.write(other, rows=_ROWS, seed=2) != truth


def test_the_truth_about_the_data_is_true(tmp_path: Path) -> None:
    """By its rows alone: what is broken, repeated or planted is where it is said to be."""
    path = tmp_path / "data"
    truth = demo_ai_data.write(path, rows=_ROWS, seed=3)

    lines = [line for line in path.read_bytes().split(b"\n") if line]
    objects = {row: each for row, line in enumerate(lines) if (each := _object(line))}
    firsts: dict[bytes, int] = {}
    repeated = {row for row, line in enumerate(lines) if firsts.setdefault(line, row) != row}

    assert len(lines) == truth.rows == _ROWS
    assert {*range(_ROWS)} - {*objects} == {*truth.broken}
    assert repeated == {*truth.repeated}
    assert all(lines[row] == lines[earlier] for row, earlier in truth.repeated.items())
    assert Counter(each["id"] for each in objects.values()).keys() == truth.ids
    for row, plants in truth.plants.items():
        text = json.dumps(objects.get(row, lines[row].decode(errors="replace")), ensure_ascii=False)
        assert all(each.value in text for each in plants), row


def _object(line: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def test_each_kind_that_the_scan_knows_is_planted() -> None:
    """Names are not: only a model could find them."""
    assert {*MAKERS} == {*PLACES} == {*KINDS} - {NAME}
    assert len({*COUNTRY_OF.values()}) > 10


def _redacted(path: Path, truth: demo_ai_data.Truth) -> tuple[list[bytes], list[int]]:
    """Return the lines of a perfect copy, and by row where it stands among them."""
    lines = path.read_bytes().split(b"\n")[:-1]
    places = [place for place, line in enumerate(lines) if line]
    for row, plants in truth.plants.items():
        for each in plants:
            for spelled in (each.value, json.dumps(each.value)[1:-1]):
                mark = _placeholder(each.kind).encode()
                lines[places[row]] = lines[places[row]].replace(spelled.encode(), mark)
    return lines, places


@pytest.mark.parametrize(
    "harm", ["none", "left", "too-much", "wrong-kind", "decoy", "byte", "lost"]
)
def test_each_fault_of_a_redacted_copy_shows(tmp_path: Path, harm: str) -> None:
    """What is left, what is gone, and what is called by another name."""
    path, copy = tmp_path / "data", tmp_path / "copy"
    truth = demo_ai_data.write(path, rows=_ROWS, seed=4)
    lines, places = _redacted(path, truth)
    row, (plant, *_) = next(
        (row, each) for row, each in truth.plants.items() if row not in truth.broken
    )
    plain = next(r for r in range(_ROWS) if r not in truth.plants and r not in truth.broken)
    mark = _placeholder(plant.kind).encode()
    place, other = places[row], places[plain]
    match harm:
        case "left":
            lines[place] = lines[place].replace(mark, plant.value.encode())
        case "too-much":
            lines[place] = lines[place].replace(b"id", b"<PHONE>", 1)
        case "wrong-kind":
            lines[place] = lines[place].replace(mark, b"<OTHER>")
        case "decoy":
            lines[other] = lines[other].replace(b"ORD-", b"<PHONE>", 1)
        case "byte":
            lines[other] = lines[other].replace(b", ", b" ,", 1)
        case "lost":
            del lines[other]
        case _:
            pass
    copy.write_bytes(b"\n".join([*lines, b""]))

    plants = {row: [(p.kind, p.value) for p in planted] for row, planted in truth.plants.items()}
    found = compare(path, copy, plants)

    if harm == "lost":
        assert found.changed > 1
        return
    assert found.rows == _ROWS
    assert found.changed == (harm != "none")
    assert found.left == (harm == "left")
    assert all(each.is_ok for each in found.measures) == (harm in {"none", "byte"})


def test_the_report_says_what_is_wrong_and_how() -> None:
    """With what is missing and what is too much."""
    checks = [Check("rows", 3, 3), Check("counts", {"a": 1, "b": 2}, {"a": 1, "b": 3})]

    told = table_of_checks(checks).splitlines()
    kinds = table_of_kinds([Measure("email", 4, 4, 4), Measure("phone", 2, 4, 2)]).splitlines()

    assert [line.split()[-1] for line in told[1:3]] == ["ok", "WRONG"]
    assert told[3:] == ["    expected ('b', 2)", "    found    ('b', 3)"]
    assert kinds[1].split() == ["email", "4", "4", "1.0000", "1.0000"]
    assert kinds[2].split() == ["phone", "2", "4", "0.5000", "1.0000", "WRONG"]


def _send(url: str, secret: str, message_id: str, body: str) -> int:
    now = clock.now()
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, now, body),
    }
    return httpx.post(url, content=body, headers=headers, trust_env=False).status_code


def test_the_receiver_takes_each_id_once_and_only_what_is_signed() -> None:
    """Also where it has lost an answer, and is told again."""
    with receiving() as receiver:
        events = receiver.url + EVENTS
        answers = [
            _send(events, receiver.secret, "evt_1", "{}"),
            _send(events, receiver.secret, "evt_1", "{}"),
            _send(events, receiver.secret, "evt_2", "{}"),
            _send(events, receiver.secret, "evt_2", '{"other": 1}'),
            _send(events, "whsec_c2VjcmV0IG9mIHNvbWVib2R5IGVsc2UgZW50aXJlbHk=", "evt_3", "{}"),
        ]
        heard = (receiver.unsigned, receiver.changed_bodies, receiver.repeats(EVENTS))

        assert answers == [503, 204, 204, 204, 401]
        assert heard == (1, 1, 2)
        assert {*receiver.taken(EVENTS)} == {"evt_1", "evt_2"}
        assert (receiver.taken(TRAINER), receiver.unanswered(EVENTS)) == ({}, 0)


def test_the_texts_have_one_row_for_each_question(tmp_path: Path) -> None:
    """And what is personal in it has a kind in its place when it is found."""
    path = tmp_path / "texts"
    told = demo_ai_texts.write(path, rows=2_000, seed=1)
    lines = path.read_text().splitlines()

    for needle in told.needles:
        kind, value = told.plants.get(needle.row, ("email", "<EMAIL>"))
        text = json.loads(lines[needle.row])["text"]
        assert text.replace(value, _placeholder(kind)) == needle.text
    assert len({needle.question for needle in told.needles}) == 10


def test_values_are_of_nobody_twice() -> None:
    """There are enough of each kind that rows do not repeat each other by chance."""
    rng = Random(1)

    for kind, make in MAKERS.items():
        assert len({make(rng) for _ in range(200)}) > 150, kind
