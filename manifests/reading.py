"""Strict parsing: of every input either a valid ``Manifest`` or a ``ManifestError``.

Rule: a check refuses the first broken rule in the order of FORMAT.md's numbers, so that every
reader of the format gives the same code.
"""

import json
import re
from collections.abc import Mapping
from typing import Final, Never

import msgspec

from manifests.errors import ManifestError
from manifests.model import FORMAT, VERSION, Manifest

MAX_MANIFEST_BYTES: Final = 4 * 2**20
_MAX_DEPTH: Final = 2
_MAX_SHOWN_KEY: Final = 64
# No number of the format has more digits; int() of a long text costs quadratic time.
_MAX_DIGITS: Final = 16

# An unterminated string runs to the end; possessive, so that no input makes it backtrack.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_OPENING: Final = frozenset(b"[{")
_HEX: Final = re.compile(r"[0-9a-f]{64}")

_TYPES: Final[Mapping[str, type]] = {
    "fileName": str,
    "fileSize": int,
    "chunkSize": int,
    "chunks": list,
    "root": str,
    "sha256": str,
}
_KNOWN: Final = {"format", "version", *_TYPES}
_KINDS: Final[Mapping[type, str]] = {
    str: "a string",
    int: "an integer, written in digits only",
    list: "an array",
}


class _Fields(msgspec.Struct, rename="camel"):
    """The members of a manifest, each of its type."""

    file_name: str
    file_size: int
    chunk_size: int
    chunks: list[str]
    root: str
    sha256: str | None = None


class _Object(list[tuple[str, object]]):
    """A JSON object: its members in order, doubled ones included."""


def parse(data: bytes) -> Manifest:
    """Read a manifest. Whitespace and the order of members are free; all else is strict.

    Raises:
        ManifestError: ``data`` breaks a rule. Nothing else is ever raised.

    """
    members = _unique(_json(data))
    _check_identity(members)
    fields = _checked(members)
    manifest = Manifest(
        file_name=fields.file_name,
        file_size=fields.file_size,
        chunk_size=fields.chunk_size,
        digests=bytes.fromhex("".join(fields.chunks)),
        sha256=None if fields.sha256 is None else bytes.fromhex(fields.sha256),
    )
    if fields.sha256 is None and manifest.chunk_count == 1:
        detail = "With one chunk the sha256 of the whole file is known."
        raise ManifestError("missing-field", detail, "/sha256")
    if fields.root != manifest.root:
        raise ManifestError("root-mismatch", "The root does not follow from the chunks.", "/root")
    return manifest


def _json(data: bytes) -> object:
    if len(data) > MAX_MANIFEST_BYTES:
        detail = f"A manifest has at most {MAX_MANIFEST_BYTES} bytes."
        raise ManifestError("too-large", detail, "")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ManifestError("not-utf8", "A manifest is UTF-8.", "") from None
    _check_depth(data)
    try:
        value: object = json.loads(
            text, object_pairs_hook=_Object, parse_int=_integer, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError:
        raise ManifestError("malformed-json", "This is no JSON text.", "") from None
    return value


def _check_depth(data: bytes) -> None:
    """Bound the nesting before a recursive parser sees it."""
    depth = 0
    for bracket in _STRING.sub(b"", data).translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in _OPENING else -1
        if depth > _MAX_DEPTH:
            raise ManifestError("too-deep", "Nothing nests deeper than the array of chunks.", "")


def _integer(text: str) -> int:
    """Read an integer; a signed or endless one becomes one that no rule accepts."""
    if text.startswith("-"):
        return -1
    return int(text[: _MAX_DIGITS + 1])


def _refuse_constant(_name: str) -> Never:
    raise ManifestError("malformed-json", "NaN and Infinity are no JSON.", "")


def _unique(value: object) -> dict[str, object]:
    if not isinstance(value, _Object):
        raise ManifestError("wrong-type", "A manifest is an object.", "")
    members: dict[str, object] = {}
    for key, member in value:
        if key in members:
            raise ManifestError("duplicate-key", "A member stands here twice.", _pointer(key))
        members[key] = member
    return members


def _check_identity(members: dict[str, object]) -> None:
    """Refuse other formats and versions first: of them the later rules are not true."""
    _require(members, "format", str)
    if members["format"] != FORMAT:
        raise ManifestError("unknown-format", f"The format is not `{FORMAT}`.", "/format")
    _require(members, "version", int)
    if members["version"] != VERSION:
        raise ManifestError("unknown-version", f"The version is not {VERSION}.", "/version")


def _checked(members: dict[str, object]) -> _Fields:
    """Judge each member by itself: present, known, of its type, digests well-formed."""
    for key in members:
        if key not in _KNOWN:
            raise ManifestError("unknown-field", "Version 1 has no such member.", _pointer(key))
    for key in _TYPES:
        if key not in members and key != "sha256":
            raise _missing(key)
    for key, kind in _TYPES.items():
        if key in members:
            _check_type(members[key], kind, _pointer(key))
    chunks = members["chunks"]
    assert isinstance(chunks, list), "This was just checked."
    for index, text in enumerate(chunks):
        _check_type(text, str, f"/chunks/{index}")
    fields = msgspec.convert(members, _Fields)
    _check_digests(fields)
    return fields


def _check_digests(fields: _Fields) -> None:
    texts = {f"/chunks/{index}": text for index, text in enumerate(fields.chunks)}
    if fields.sha256 is not None:
        texts["/sha256"] = fields.sha256
    for pointer, text in texts.items():
        if not _HEX.fullmatch(text):
            raise ManifestError("bad-digest", "A sha256 is 64 lower-case hex digits.", pointer)


def _require(members: dict[str, object], key: str, kind: type) -> None:
    if key not in members:
        raise _missing(key)
    _check_type(members[key], kind, _pointer(key))


def _check_type(value: object, kind: type, pointer: str) -> None:
    # Exactly this type: a bool is an int to isinstance, and _Object a list.
    if type(value) is not kind:
        raise ManifestError("wrong-type", f"Expected {_KINDS[kind]}.", pointer)


def _missing(key: str) -> ManifestError:
    return ManifestError("missing-field", "A manifest must have this member.", _pointer(key))


def _pointer(key: str) -> str:
    """Point at a member; at the whole where its name is nothing one would want to print."""
    if len(key) > _MAX_SHOWN_KEY or not key.isprintable():
        return ""
    return "/" + key.replace("~", "~0").replace("/", "~1")
