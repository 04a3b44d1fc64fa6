"""The lines for coreutils, given to the real ``split`` and ``sha256sum``."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import manifests
from manifests import Manifest, ManifestError, TreeHasher, partial_sha256sum_lines, sha256sum_lines

_NAMES = [
    "train.jsonl",
    "with space and 数据.csv",
    "back\\slash",
    "line\nfeed",
    "carriage\rreturn",
    "ends in return\r",
    "\\",
    "-",
    "--help",
    " *leading",
    "*",
    "#comment",
    "tab\there",
    '"quoted"',
]


def _run(*command: str, folder: Path) -> str:
    program = shutil.which(command[0])
    assert program is not None, f"The tests need {command[0]} of GNU coreutils."
    done = subprocess.run(
        [program, *command[1:]], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _manifest(content: bytes, chunk_size: int, name: str) -> Manifest:
    hasher = TreeHasher(chunk_size)
    hasher.feed(content)
    return hasher.manifest(name)


def _pieces(folder: Path, name: str, content: bytes, chunk_size: int) -> None:
    folder.joinpath(name).write_bytes(content)
    _run("split", f"-b{chunk_size}", "-d", "-a5", "--", f"./{name}", f"{name}.", folder=folder)


@pytest.mark.parametrize("name", _NAMES)
def test_sha256sum_accepts_the_pieces_that_split_makes(name: str, tmp_path: Path) -> None:
    """Anybody can check a data set without our software, whatever it is called."""
    content = bytes(range(256)) * 3
    _pieces(tmp_path, name, content, 100)
    sums = tmp_path / "SUMS"
    sums.write_bytes(sha256sum_lines(_manifest(content, 100, name)).encode())

    answer = _run("sha256sum", "--check", "--strict", "SUMS", folder=tmp_path)

    assert [line.endswith(": OK") for line in answer.splitlines() if ": " in line] == [True] * 9


@pytest.mark.parametrize("name", _NAMES)
def test_the_lines_are_what_sha256sum_itself_writes(name: str, tmp_path: Path) -> None:
    """Not merely accepted: the same text, so that files of sums can be compared."""
    content = bytes(range(256))
    _pieces(tmp_path, name, content, 100)
    whole = "./-" if name == "-" else name
    files = [*(f"{name}.{index:05d}" for index in range(3)), whole]

    assert sha256sum_lines(_manifest(content, 100, name)) == _run(
        "sha256sum", "--", *files, folder=tmp_path
    )


@pytest.mark.parametrize("content", [b"", b"x", b"0123456789"])
def test_small_files_have_lines_for_what_split_makes_of_them(
    content: bytes, tmp_path: Path
) -> None:
    """``split`` makes no piece of an empty file, so there must be no line for one."""
    _pieces(tmp_path, "a", content, 10)
    tmp_path.joinpath("SUMS").write_text(sha256sum_lines(_manifest(content, 10, "a")))

    checked = _run("sha256sum", "--check", "--strict", "SUMS", folder=tmp_path).splitlines()

    made = {f"{path.name}: OK" for path in tmp_path.iterdir() if path.name != "SUMS"}
    assert set(checked) == made


def test_a_piece_that_differs_is_named_by_sha256sum(tmp_path: Path) -> None:
    """Otherwise the tests above would pass with lines that check nothing."""
    _pieces(tmp_path, "a", b"0123456789", 4)
    tmp_path.joinpath("SUMS").write_text(sha256sum_lines(_manifest(b"0123X56789", 4, "a")))

    with pytest.raises(AssertionError, match="2 computed checksums did NOT match"):
        _run("sha256sum", "--check", "SUMS", folder=tmp_path)


def test_the_digests_of_an_open_upload_can_be_checked_already(tmp_path: Path) -> None:
    """Of the chunks fixed so far, in any order, and no others."""
    content = b"0123456789"
    manifest = _manifest(content, 4, "a")
    _pieces(tmp_path, "a", content, 4)
    known = {index: manifest.digest_of(index) for index in (2, 0)}
    lines = partial_sha256sum_lines("a", known, file_size=10, chunk_size=4)
    tmp_path.joinpath("SUMS").write_text(lines)

    answer = _run("sha256sum", "--check", "--strict", "SUMS", folder=tmp_path)

    assert answer == "a.00000: OK\na.00002: OK\n"


@given(st.binary(max_size=40), st.integers(1, 50))
@settings(deadline=None, max_examples=25)
def test_all_digests_of_an_open_upload_give_the_lines_of_its_manifest(
    content: bytes, chunk_size: int
) -> None:
    """The last digest changes the state of an upload, and not the form of its lines."""
    hasher = TreeHasher(chunk_size, whole=False)
    hasher.feed(content)
    manifest = hasher.manifest("a\\b")
    known = {index: manifest.digest_of(index) for index in range(manifest.chunk_count)}

    lines = partial_sha256sum_lines(
        "a\\b", known, file_size=manifest.file_size, chunk_size=chunk_size
    )

    assert lines == manifests.sha256sum_lines(manifest)


@pytest.mark.parametrize(
    ("digests", "code", "pointer"),
    [
        ({3: bytes(32)}, "chunk-count-mismatch", "/chunks"),
        ({-1: bytes(32)}, "chunk-count-mismatch", "/chunks"),
        ({1: bytes(31)}, "bad-digest", "/chunks/1"),
    ],
)
def test_digests_that_fit_no_chunk_are_refused(
    digests: dict[int, bytes], code: str, pointer: str
) -> None:
    """A line for a piece that there is not would make every check fail."""
    with pytest.raises(ManifestError) as refusal:
        partial_sha256sum_lines("a", digests, file_size=10, chunk_size=4)

    assert (refusal.value.code, refusal.value.pointer) == (code, pointer)
