"""What becomes of rows in a redacted copy, and what of a finding is ever shown."""

import json
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.domain import pii_kinds
from coordinator.jobs.pii_finding import finder
from coordinator.jobs.pii_masking import masked
from coordinator.jobs.pii_redaction import _line
from coordinator.jobs.pii_rows import Labels, judged_line, redacted
from coordinator.jobs.pii_values import Text, texts, with_all_members
from tests.jobs.innocents import innocent
from tests.jobs.planting import KINDS

_ALL: Final = tuple(kind for kind in pii_kinds.KINDS if kind != pii_kinds.NAME)
_BY: Final = (" ", "", "-", ".", ", ", "@", "+", "/", " phone ", "\n")


def line(text: str) -> bytes:
    """Redact a line of JSON."""
    look = finder(_ALL)
    row = judged_line(look, 0, text.encode(), "jsonl")
    return _line(row, text.encode(), look) if row.hits else text.encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"a": "ask bob@x.org"}', '{"a":"ask <EMAIL>"}'),
        (r'{"a": "bob\u0040x.org"}', '{"a":"<EMAIL>"}'),
        ('{"card":4111111111111111,"n":5}', '{"card":"<CARD>","n":5}'),
        ('{"a":["x",{"b":"123-45-6789"}],"c":null}', '{"a":["x",{"b":"<US_SSN>"}],"c":null}'),
        ('{"bob@x.org":1,"eve@x.org":2}', '{"<EMAIL>":1,"<EMAIL>_2":2}'),
        ('{"a":"bob@x.org","a":"x"}', '{"a":"<EMAIL>","a_2":"x"}'),
        ('{"a": "x",  "b": [ ]}', '{"a": "x",  "b": [ ]}'),
        ('{"a": "bob@x.org", broken', '{"a": "<EMAIL>", broken'),
        (r'{"a": "bob\u0040x.org", broken', '{"a": "<EMAIL>", broken'),
        ('["bob@x.org"]', '["<EMAIL>"]'),
    ],
)
def test_lines_keep_all_but_what_was_found(before: str, after: str) -> None:
    """Numbers, keys, members that a parser hides, and lines that no parser reads."""
    assert line(before) == after.encode()


def test_a_deep_line_is_redacted_too() -> None:
    """Parsed or not: what is nested a thousand times is text at least."""
    for depth in (200, 900, 5_000):
        text = '{"a":' + "[" * depth + '"bob@x.org"' + "]" * depth + "}"

        assert line(text) == text.replace("bob@x.org", "<EMAIL>").encode()


@settings(max_examples=150, deadline=None)
@given(seeds=st.lists(st.integers(0, 2**32), min_size=1, max_size=6), by=st.sampled_from(_BY))
def test_nothing_is_left_to_be_found(seeds: list[int], by: str) -> None:
    """What stands around a placeholder is not taken for something new."""
    look = finder(_ALL)
    parts = []
    for seed in seeds:
        random = Random(seed)
        make, word = random.choice(list(KINDS.values()))
        parts.append(random.choice((make(random), f"{word} {make(random)}", innocent(random))))
    text = by.join(parts)

    for column in ("", "/phone", "/PESEL"):
        assert look.find_fully(redacted(look, text, column), column) == []


def test_columns_are_pointers_and_keys_are_texts() -> None:
    """Arrays have no numbers in a column, else each place would be one."""
    value = {"a": [{"b/c": "x"}, [12345678, 5, True]], "d~1": 1.5, "n": {"e": None}}

    assert set(texts(value)) == {
        Text("/a/*/b~1c", "x", is_key=False),
        Text("/a/*/*", "12345678", is_key=False),
        Text("/d~01", "d~1", is_key=True),
    }
    assert [each.column for each in texts({"a": {"b": "x"}}, is_table=True)] == ["a/b"]


def test_members_that_a_parser_hides_are_seen() -> None:
    """Also where a colon in a string makes it look as if there were more of them."""
    hidden = b'{"a": {"k": "1", "k": "2"}, "a": "3"}'

    assert with_all_members(json.loads(hidden), hidden) == {"a": {"k": "1", "k_2": "2"}, "a_2": "3"}
    plain: dict[str, Any] = {"a": '": '}
    assert with_all_members(plain, json.dumps(plain).encode()) == plain


def test_labels_of_columns_show_nothing() -> None:
    """A key may be somebody's address."""
    labels = Labels(finder(_ALL))

    assert labels.of("/users/bob@x.org/phone") == "/users/<EMAIL>/phone"
    assert labels.of("/phone/2125551234") == "/phone/<PHONE>"
    assert len(labels.of("/" + "x" * 5_000)) == 200


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_shown_tells_nobody(kind: str) -> None:
    """Four characters of a value at most, of an address two: of the local part, and no domain."""
    random = Random(5)
    for _ in range(200):
        value = KINDS[kind][0](random)

        shown = masked(kind, value)

        left = shown.replace("***", "").strip("@.")
        assert len(left) <= 4
        assert kind != "email" or (len(left) <= 2 and value.partition("@")[2] not in shown)
        assert value not in shown
