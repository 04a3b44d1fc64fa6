"""Bodies that no route may accept, and what they must be answered with.

A case is a name, a body, and (status, code, field). A body is bytes, or changes to a good one; in
changes ``...`` takes a field away. Where a field is ``None`` the problem names none.
"""

import json
from typing import Any, Final

from tests.web.driving import CHUNK, MIB, NO_UPLOAD, a_file

Expected = tuple[int, str, str | None]
Case = tuple[str, bytes | dict[str, Any], Expected]

DIGEST: Final = "ab" * 32
_LIMIT: Final = 50_000 * 1024 * MIB


def _field(name: str) -> Expected:
    return (422, "invalid-field", name)


def _raw(good: dict[str, Any], field: str, text: str) -> bytes:
    """Put ``text`` where the field's value stands, as it is: json would not write it."""
    return json.dumps(good | {field: "@@"}).replace('"@@"', text).encode()


GOOD: Final[dict[str, dict[str, Any]]] = {
    "/api/upload/init": a_file(9),
    "/api/upload/urls": {
        "uploadId": NO_UPLOAD,
        "chunks": [{"chunkIndex": 0, "sha256": DIGEST}],
    },
    "/api/upload/chunk": {"uploadId": NO_UPLOAD, "chunkIndex": 0},
    "/api/upload/complete": {"uploadId": NO_UPLOAD},
}

_MALFORMED: Final[Expected] = (400, "malformed-json", None)

# What no route understands.
ANYWHERE: Final[list[Case]] = [
    ("no body", b"", _field("")),
    ("null", b"null", _field("")),
    ("a list", b"[]", _field("")),
    ("a number", b"7", _field("")),
    ("a text", b'"{}"', _field("")),
    ("100 KB of [", b"[" * 100_000, _MALFORMED),
    ("100 KB of {", b'{"a":' * 20_000, _MALFORMED),
    ("deep in a field", b'{"uploadId":' + b"[" * 50_000 + b"]" * 50_000 + b"}", _MALFORMED),
    ("invalid UTF-8", b'{"uploadId": "\xff\xfe"}', _MALFORMED),
    ("an overlong NUL", b'{"uploadId": "\xc0\x80"}', _MALFORMED),
    ("a raw NUL", b'{"uploadId": "\x00"}', _MALFORMED),
    ("a lone surrogate", rb'{"uploadId": "\ud800"}', _MALFORMED),
    ("a lone surrogate as a name", rb'{"\udfff": 1}', _MALFORMED),
    ("cut off", b'{"uploadId": "upl', _MALFORMED),
    ("more than one", b"{}{}", _MALFORMED),
    ("a byte order mark", b"\xef\xbb\xbf{}", _MALFORMED),
    ("UTF-16", '{"uploadId": 1}'.encode("utf-16"), _MALFORMED),
    ("XML", b"<x/>", _MALFORMED),
    ("oversized", b'{"uploadId": "' + b"x" * 2 * MIB + b'"}', (413, "body-too-large", None)),
    ("an unknown field", {"uplodaId": 1}, _field("uplodaId")),
    ("an unknown field of another case", {"UploadID": "x"}, _field("UploadID")),
    ("a number beyond all", b'{"x": {"y": [0, 1e400]}}', _field("x.y[1]")),
    ("infinity", b'{"x": -Infinity}', _field("x")),
]

INIT: Final[list[Case]] = [
    ("no name", {"fileName": ...}, _field("fileName")),
    ("no size", {"fileSize": ...}, _field("fileSize")),
    ("no type", {"fileType": ...}, _field("fileType")),
    ("a negative size", {"fileSize": -1}, _field("fileSize")),
    ("a fractional size", {"fileSize": 1.5}, _field("fileSize")),
    ("a size of 1e400", _raw(a_file(9), "fileSize", "1e400"), _field("fileSize")),
    ("a size of NaN", _raw(a_file(9), "fileSize", "NaN"), _field("fileSize")),
    ("a size of 5,000 digits", _raw(a_file(9), "fileSize", "9" * 5_000), _field("fileSize")),
    ("a size as text", {"fileSize": "9"}, _field("fileSize")),
    ("a size of null", {"fileSize": None}, _field("fileSize")),
    ("a size of true", {"fileSize": True}, _field("fileSize")),
    ("a size of a list", {"fileSize": [9]}, _field("fileSize")),
    *[
        (
            f"a size of {size:e}",
            {"fileSize": size, "chunkSize": ...},
            (422, "file-too-large", "fileSize"),
        )
        for size in (_LIMIT + 1, 2**63, 2**64, 10**30)
    ],
    *[
        (
            f"a chunk size of {size}",
            {"chunkSize": size},
            (422, "chunk-size-not-possible", "chunkSize"),
        )
        for size in (0, -1, 1, CHUNK - 1, 5 * 1024 * MIB + 1, 10**30)
    ],
    ("a fractional chunk size", {"chunkSize": 5242880.5}, _field("chunkSize")),
    ("a chunk size as text", {"chunkSize": "5242880"}, _field("chunkSize")),
    (
        "too many chunks",
        {"fileSize": 10_000 * CHUNK + 1},
        (422, "chunk-size-not-possible", "chunkSize"),
    ),
    *[
        (f"a checksum {text[:20]!r}", {"checksum": text}, _field("checksum"))
        for text in (
            "",
            DIGEST,
            f"md5:{DIGEST}",
            f"SHA256:{DIGEST}",
            f"sha256:{DIGEST.upper()}",
            f"sha256:{DIGEST[1:]}",
            f"sha256:{DIGEST}0",
            f"sha256:{DIGEST}\n",
            "sha256:" + "g" * 64,
            "sha256-tree:x-1",
            f"sha256-tree:{'A' * 43}=",
            f"sha256-tree:{'A' * 43}=-0",
            f"sha256-tree:{'A' * 43}=-2",
            f"sha256-tree:{'A' * 42}B=-1",
            "sha256:" + "a" * 200,
        )
    ],
    ("a checksum of 7", {"checksum": 7}, _field("checksum")),
    *[
        (f"a name {text[:12]!a}", {"fileName": text}, _field("fileName"))
        for text in (
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "a\x00b",
            "a\nb",
            "a\r\nb",
            "\x1b[31mred",
            "a\x7f",
            "a\x85b",
            "a\u2028b",
            "a\u202eb",
            "a\u2066b",
            "x" * 300,
            "ä" * 256,
        )
    ],
    ("a name of 7", {"fileName": 7}, _field("fileName")),
    ("a name with a lone surrogate", _raw(a_file(9), "fileName", r'"\ud800"'), _MALFORMED),
    *[
        (f"a type {text[:12]!a}", {"fileType": text}, _field("fileType"))
        for text in ("text", "a b/c", "text/plain\n", "text/\x00", "ä/b", "/", "x/" + "y" * 300)
    ],
    ("a type of null", {"fileType": None}, _field("fileType")),
    ("metadata as a list", {"metadata": []}, _field("metadata")),
    ("metadata as text", {"metadata": "x"}, _field("metadata")),
    ("metadata of null", {"metadata": None}, _field("metadata")),
    ("metadata of 17 KB", {"metadata": {"a": "x" * 17_000}}, _field("metadata")),
    ("a NUL in metadata", {"metadata": {"a": ["x\x00"]}}, _field("metadata.a[0]")),
    ("a NUL in a name of metadata", {"metadata": {"\x00": 1}}, _field("metadata")),
    ("a line that turns", {"metadata": {"a": {"b": "\u202e"}}}, _field("metadata.a.b")),
    ("metadata 9 deep", {"metadata": {"a": [[[[[[[[]]]]]]]]}}, _field("metadata.a" + "[0]" * 7)),
    (
        "a number of 5,000 digits",
        _raw(a_file(9), "metadata", '{"n": ' + "9" * 5_000 + "}"),
        _field("metadata.n"),
    ),
    (
        "1e400 in metadata",
        _raw(a_file(9), "metadata", '{"a": [1e400]}'),
        _field("metadata.a[0]"),
    ),
    ("an unknown purpose", {"metadata": {"purpose": "fun"}}, _field("metadata.purpose")),
    ("a purpose of a list", {"metadata": {"purpose": ["x"]}}, _field("metadata.purpose")),
    ("a purpose of null", {"metadata": {"purpose": None}}, _field("metadata.purpose")),
    ("another's userId", {"userId": "bob"}, (403, "scope-missing", "userId")),
]


def _chunk(**changes: Any) -> dict[str, Any]:
    return {"chunks": [{"chunkIndex": 0, "sha256": DIGEST} | changes]}


_IDS: Final[list[Case]] = [
    *[
        (f"an id {text[:12]!a}", {"uploadId": text}, (404, "upload-not-found", "uploadId"))
        for text in (
            NO_UPLOAD,
            "",
            "upl_",
            "../../x",
            "\x00",
            f"{NO_UPLOAD}\n",
            NO_UPLOAD.upper(),
            "upl_" + "z" * 26,
            "upl_" + "٣" * 26,
            "ü" * 30,
            "x" * 100_000,
        )
    ],
    ("an id of 7", {"uploadId": 7}, _field("uploadId")),
    ("an id of null", {"uploadId": None}, _field("uploadId")),
    ("no id", {"uploadId": ...}, _field("uploadId")),
]

URLS: Final[list[Case]] = [
    *_IDS,
    ("no chunks", {"chunks": ...}, _field("chunks")),
    ("an empty list", {"chunks": []}, _field("chunks")),
    ("an object for the list", {"chunks": {"0": DIGEST}}, _field("chunks")),
    (
        "1,001 chunks",
        {"chunks": [{"chunkIndex": i, "sha256": DIGEST} for i in range(1_001)]},
        _field("chunks"),
    ),
    ("a chunk twice", {"chunks": _chunk()["chunks"] * 2}, _field("chunks")),
    *[
        (f"an index of {index!r}", _chunk(chunkIndex=index), _field("chunks[0].chunkIndex"))
        for index in (-1, 10_000, 10**30, 0.5, "0", None, True, [0])
    ],
    *[
        (f"a sha256 {digest!r:.20}", _chunk(sha256=digest), _field("chunks[0].sha256"))
        for digest in ("", DIGEST.upper(), DIGEST[1:], DIGEST + "0", "g" * 64, 7, None, "\x00")
    ],
    ("a chunk of 7", {"chunks": [7]}, _field("chunks[0]")),
    ("a field too many in a chunk", _chunk(size=1), _field("chunks[0].size")),
    ("force as text", {"force": "yes"}, _field("force")),
]

CHUNK_REPORTS: Final[list[Case]] = [
    *_IDS,
    *[
        (f"an index of {index!r}", {"chunkIndex": index}, _field("chunkIndex"))
        for index in (-1, 10_000, 10**30, 0.5, "0", None, True, ...)
    ],
    *[
        (f"an etag {etag!r:.12}", {"etag": etag}, _field("etag"))
        for etag in ("a b", "a\n", "\x00", "ä", "x" * 129, 7)
    ],
    *[
        (f"a total of {total!r}", {"totalChunks": total}, _field("totalChunks"))
        for total in ("1", 1.5, [1])
    ],
    ("an error as text", {"error": "no"}, _field("error")),
    ("an error's status of 1000", {"error": {"status": 1000}}, _field("error.status")),
    ("an error's unknown field", {"error": {"why": 1}}, _field("error.why")),
    ("one and many", {"chunks": [{"chunkIndex": 0}]}, _field("chunks")),
    ("an empty list", {"chunkIndex": ..., "chunks": []}, _field("chunks")),
    ("a chunk twice", {"chunkIndex": ..., "chunks": [{"chunkIndex": 0}] * 2}, _field("chunks")),
    (
        "an index in the list",
        {"chunkIndex": ..., "chunks": [{"chunkIndex": 0}, {"chunkIndex": -1}]},
        _field("chunks[1].chunkIndex"),
    ),
    ("bytes", {"data": "aGk="}, (422, "bytes-not-accepted", "data")),
]

COMPLETE: Final[list[Case]] = [
    *_IDS,
    ("a checksum of 7", {"checksum": 7}, _field("checksum")),
    ("a checksum that is none", {"checksum": "sha256:x"}, _field("checksum")),
    ("a manifest as a list", {"manifest": []}, _field("manifest")),
    ("a manifest as text", {"manifest": "x"}, _field("manifest")),
    ("a manifest with a huge number", {"manifest": {"version": 10**30}}, _field("manifest.format")),
]

CASES: Final[dict[str, list[Case]]] = {
    "/api/upload/init": INIT,
    "/api/upload/urls": URLS,
    "/api/upload/chunk": CHUNK_REPORTS,
    "/api/upload/complete": COMPLETE,
}


def encoded(path: str, body: bytes | dict[str, Any]) -> bytes:
    """Build the body of a case."""
    if isinstance(body, bytes):
        return body
    whole = GOOD[path] | body
    return json.dumps({key: value for key, value in whole.items() if value is not ...}).encode()
