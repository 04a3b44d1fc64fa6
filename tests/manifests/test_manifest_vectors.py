"""The vectors beside this file, which any implementation of FORMAT.md can run."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

import manifests
from manifests import Code, FileCheck, ManifestError

_FORMAT = Path(manifests.__file__).with_name("FORMAT.md").read_text()
_KINDS = ("valid", "invalid", "verify", "partial")
_VECTORS: dict[str, list[dict[str, Any]]] = {
    kind: json.loads(Path(__file__).with_name("vectors").joinpath(f"{kind}.json").read_text())
    for kind in _KINDS
}


def _each(kind: str) -> pytest.MarkDecorator:
    vectors = _VECTORS[kind]
    return pytest.mark.parametrize("vector", vectors, ids=[vector["name"] for vector in vectors])


def _input(vector: dict[str, Any]) -> bytes:
    if "inputBase64" in vector:
        return base64.b64decode(vector["inputBase64"])
    if "inputRepeat" in vector:
        return "".join(text * times for text, times in vector["inputRepeat"]).encode()
    return str(vector["input"]).encode()


@_each("valid")
def test_a_valid_manifest_is_read_and_written_in_its_canonical_form(vector: dict[str, Any]) -> None:
    """Digest and root are what other systems compare, so they are compared whole."""
    data = _input(vector)
    expected = str(vector["canonical"]).encode() if "canonical" in vector else data

    manifest = manifests.parse(data)

    assert manifests.canonical(manifest) == expected
    assert manifests.digest(manifest) == vector["digest"] == hashlib.sha256(expected).hexdigest()
    assert manifest.checksum == vector["checksum"]


@_each("valid")
def test_chunks_and_sums_follow_from_a_valid_manifest(vector: dict[str, Any]) -> None:
    """The lines let anybody check the file with coreutils alone."""
    manifest = manifests.parse(_input(vector))
    lengths = [manifest.chunk_length(index) for index in range(manifest.chunk_count)]

    assert sum(lengths) == manifest.file_size
    assert lengths == vector.get("chunkLengths", lengths)
    lines = manifests.sha256sum_lines(manifest)
    assert lines == vector.get("sha256sum", lines)


@_each("invalid")
def test_an_invalid_manifest_is_refused_with_its_code(vector: dict[str, Any]) -> None:
    """Clients act on code and pointer, so both are part of the format."""
    with pytest.raises(ManifestError) as refusal:
        manifests.parse(_input(vector))

    assert (refusal.value.code, refusal.value.pointer) == (vector["code"], vector["pointer"])


@_each("verify")
def test_bytes_are_judged_as_the_vector_says(vector: dict[str, Any]) -> None:
    """A verdict says which chunks to fetch again."""
    check = FileCheck(manifests.parse(vector["manifest"].encode()))

    check.feed(vector["content"].encode())

    verdict = check.verdict()
    assert {
        "wrongChunks": list(verdict.wrong_chunks),
        "sizeDifference": verdict.size_difference,
        "sha256Matches": verdict.sha256_matches,
        "isMatch": verdict.is_match,
    } == {key: vector[key] for key in ("wrongChunks", "sizeDifference", "sha256Matches", "isMatch")}


@_each("partial")
def test_an_open_upload_has_the_lines_that_the_vector_says(vector: dict[str, Any]) -> None:
    """Digests that are fixed can be checked before the upload is complete."""
    digests = {int(index): bytes.fromhex(text) for index, text in vector["digests"].items()}

    lines = manifests.partial_sha256sum_lines(
        vector["fileName"], digests, file_size=vector["fileSize"], chunk_size=vector["chunkSize"]
    )

    assert lines == vector["sha256sum"]


def test_every_rule_of_the_format_has_a_vector() -> None:
    """A rule that nothing tests is a wish; a vector of no rule has no reason."""
    rules = re.findall(r"^- \*\*(R\d+)\*\*", _FORMAT, re.MULTILINE)
    named = {rule for kind in _KINDS for vector in _VECTORS[kind] for rule in vector["rules"]}

    assert rules == [f"R{number}" for number in range(1, len(rules) + 1)]
    assert named == set(rules)


def test_every_rule_that_refuses_has_a_vector_for_each_of_its_codes() -> None:
    """FORMAT.md, the vectors and the type of codes list the same refusals."""
    listed: set[tuple[str, str]] = set()
    for paragraph in re.split(r"\n(?=- \*\*|\n)", _FORMAT):
        if rule := re.match(r"- \*\*(R\d+)\*\*", paragraph):
            listed |= {
                (rule[1], c) for c in re.findall(r"`([a-z0-9-]+)`", paragraph) if _is_code(c)
            }
    tested = {(v["rules"][0], v["code"]) for v in _VECTORS["invalid"]}

    assert tested == listed
    assert {code for _, code in tested} == set(get_args(Code))


def _is_code(text: str) -> bool:
    return text in get_args(Code)


def test_the_example_in_the_format_is_a_manifest() -> None:
    """People copy examples."""
    example = re.search(r"```json\n(.*?)```", _FORMAT, re.DOTALL)

    assert example is not None
    assert manifests.parse(example[1].encode()).file_name == "train.jsonl"
