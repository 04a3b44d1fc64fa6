"""File names: letters of every script come in, and only harmless keys go out."""

import re

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from coordinator.domain.errors import InvalidFieldError
from coordinator.domain.names import (
    MAX_KEY_NAME,
    MAX_NAME_CHARACTERS,
    check_name,
    is_plain,
    key_name,
    manifest_key,
    object_key,
)
from tests.domain.builders import patient

HARMLESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
TRICKY = st.text(st.sampled_from(".-_ /\\%~+&#?é数😀ﷺ℀\u202e\u00a0aZ0"), min_size=1, max_size=40)


@pytest.mark.parametrize(
    "name",
    [
        "data.csv",
        "...",
        ".env",
        "a b.csv",
        "Müller & Söhne.jsonl",
        "数据.parquet",
        "😀.csv",
        "x" * MAX_NAME_CHARACTERS,
        "مرحبا\u200f.csv",
        "100%.csv",
        "a..b",
    ],
)
def test_a_name_that_a_file_can_have_is_kept_as_it_is(name: str) -> None:
    """The download gives it back unchanged."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * (MAX_NAME_CHARACTERS + 1),
        ".",
        "..",
        "../data.csv",
        "a/b",
        "/etc/passwd",
        "a\\b",
        "..\\data.csv",
        "a\0b",
        "a\nb",
        "a\r\nSet-Cookie: b",
        "\x1b[2J",
        "a\x7fb",
        "a\u0085b",
        "a\u2028b",
        "a\u2029b",
        "a\ud800b",
    ],
)
def test_what_names_no_file_is_refused_and_not_repaired(name: str) -> None:
    """A client that sends a path believes that we keep it."""
    with pytest.raises(InvalidFieldError) as refusal:
        check_name(name)

    assert refusal.value.facts == {"field": "fileName"}


@patient
@given(st.text(min_size=1, max_size=300) | TRICKY)
def test_every_name_becomes_a_harmless_last_part_of_a_key(name: str) -> None:
    """Even a name that was never checked: no separators, no dots alone, never too long."""
    made = key_name(name)

    event("nothing of the name was left" if made.startswith("file") else "something was left")
    assert HARMLESS.fullmatch(made)
    assert made.strip(".")


@patient
@given(
    st.text(max_size=300) | TRICKY,
    st.from_regex(r"[A-Za-z0-9]{1,20}", fullmatch=True),
)
def test_an_extension_is_kept_however_long_the_name(stem: str, extension: str) -> None:
    """Jobs and people tell the format by it."""
    assert key_name(f"{stem}.{extension}").endswith(f".{extension}")


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("data.csv", "data.csv"),
        ("..", "file."),
        ("...", "file."),
        (".", "file."),
        ("-", "file"),
        ("---.--", "file."),
        (".gitignore", "file.gitignore"),
        ("../../etc/passwd", "file.-etc-passwd"),
        ("a/b\\c.csv", "a-b-c.csv"),
        ("Ünï Cödé.csv", "Uni-Code.csv"),
        ("数据.csv", "file.csv"),
        ("😀😀", "file"),
        ("ﬁle.csv", "file.csv"),
        ("a\0b\nc", "a-b-c"),
        ("x" * 300, "x" * MAX_KEY_NAME),
        ("archive.tar.gz", "archive.tar.gz"),
        ("a.thisisnoextensionbutasentence", "a.thisisnoextensionbutasentence"),
    ],
)
def test_names_are_cleaned_as_expected(name: str, made: str) -> None:
    """Recognizable where that is possible."""
    assert key_name(name) == made


@patient
@given(st.text(min_size=1, max_size=300) | TRICKY)
def test_a_key_has_four_parts_and_none_that_a_browser_would_resolve(name: str) -> None:
    """Nobody's file name leads out of the upload's own folder."""
    key = object_key(prefix="datasets", tenant="t1", upload_id="upl_x", file_name=name)

    *folder, last = key.split("/")
    assert folder == ["datasets", "t1", "upl_x"]
    assert last not in {"", ".", ".."}
    assert manifest_key(key).startswith(key)
    assert manifest_key(key) != key


@pytest.mark.parametrize("text", ["default", "a", "alice@example.com", "t-1_2.3", "a" * 64, ".a"])
def test_plain_names_may_be_tenants_and_users(text: str) -> None:
    """Letters, digits and a few signs."""
    assert is_plain(text)


@pytest.mark.parametrize("text", ["", "a" * 65, "a/b", "a b", "ä", "a\n", ".", "..", "...", "a\0"])
def test_what_would_lead_elsewhere_in_a_key_or_forge_a_line_is_not_plain(text: str) -> None:
    """Tenants stand in object keys, users in logs."""
    assert not is_plain(text)
