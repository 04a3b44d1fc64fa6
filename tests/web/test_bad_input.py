"""Bad input: each a clear 4xx with the field, nothing written, never a 5xx."""

from typing import Any, Final

import httpx
import pytest

from coordinator.adapters.stores import Stores
from tests.web.bad_bodies import ANYWHERE, CASES, GOOD, Case, Expected, encoded
from tests.web.driving import CHUNK, TEXT, Like, a_file, opened

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_JSON: Final = {"Content-Type": "application/json"}
_ALL: Final = [(path, case) for path, cases in CASES.items() for case in (*ANYWHERE, *cases)]

_COUNTS: Final = """
SELECT (SELECT count(*) FROM uploads) AS uploads, (SELECT count(*) FROM signings) AS signings,
       (SELECT count(*) FROM idempotency_keys) AS keys, (SELECT count(*) FROM jobs) AS jobs,
       (SELECT count(*) FROM manifests) AS manifests,
       (SELECT count(*) FROM audit WHERE action <> 'access.refused') AS audit,
       (SELECT max(updated_at) FROM uploads) AS touched
"""


async def _counts(stores: Stores) -> dict[str, Any] | None:
    async with stores.pool.connection() as conn:
        return await (await conn.execute(_COUNTS)).fetchone()


def _told(answer: httpx.Response) -> Expected:
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert body == body | {
        "type": f"urn:upload-coordinator:problem:{body['code']}",
        "title": TEXT,
        "status": answer.status_code,
        "detail": TEXT,
        "requestId": Like("[0-9a-f]{32}"),
    }
    return answer.status_code, body["code"], body.get("field")


@pytest.mark.parametrize(
    ("path", "case"), _ALL, ids=[f"{path.rpartition('/')[2]}: {case[0]}" for path, case in _ALL]
)
async def test_a_bad_body_is_refused_by_field_and_writes_nothing(
    client: httpx.AsyncClient, stores: Stores, path: str, case: Case
) -> None:
    """The code is stable, the field says where to look."""
    _name, body, expected = case
    before = await _counts(stores)

    answer = await client.post(
        path, content=encoded(path, body), headers=_JSON | {"Idempotency-Key": "bad"}
    )

    assert _told(answer) == expected
    assert await _counts(stores) == before


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data"],
)
async def test_a_body_of_another_media_type_is_refused(
    client: httpx.AsyncClient, path: str, media_type: str
) -> None:
    """A form cannot say what these routes need, and a page may send one without a preflight."""
    answer = await client.post(
        path, content=encoded(path, {}), headers={"Content-Type": media_type}
    )

    assert _told(answer) == (415, "media-type-not-accepted", None)


async def test_an_index_behind_the_uploads_last_chunk_is_out_of_range(
    client: httpx.AsyncClient,
) -> None:
    """What is in range depends on the upload."""
    upload_id = await opened(client, 2 * CHUNK)
    chunks = [{"chunkIndex": 2, "sha256": "ab" * 32}]

    answers = [
        await client.post("/api/upload/urls", json={"uploadId": upload_id, "chunks": chunks}),
        await client.post("/api/upload/chunk", json={"uploadId": upload_id, "chunkIndex": 2}),
    ]

    assert [_told(answer) for answer in answers] == [
        (422, "invalid-field", "chunks[0].chunkIndex"),
        (422, "invalid-field", "chunkIndex"),
    ]


@pytest.mark.parametrize("total", [0, -1, 3, 10**30, -(10**400)])
async def test_a_total_that_is_not_the_plans_is_refused(
    client: httpx.AsyncClient, total: int
) -> None:
    """However large the number is."""
    upload_id = await opened(client, 2 * CHUNK)

    answer = await client.post(
        "/api/upload/chunk",
        json={"uploadId": upload_id, "chunkIndex": 0, "totalChunks": total},
    )

    assert _told(answer) == (422, "invalid-field", "totalChunks")


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ä", "a\tb"])
async def test_an_idempotency_key_has_a_plain_spelling(
    client: httpx.AsyncClient, stores: Stores, key: str
) -> None:
    """1 to 255 visible ASCII characters."""
    before = await _counts(stores)

    answer = await client.post(
        "/api/upload/init", json=a_file(1), headers=[(b"Idempotency-Key", key.encode("latin-1"))]
    )

    assert _told(answer) == (422, "invalid-field", "Idempotency-Key")
    assert await _counts(stores) == before


@pytest.mark.parametrize("name", ["%00", "upl_%00", "..%2f..", "%ff%fe", "x" * 5_000, "%0d%0aX:1"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/upload/status/{}"),
        ("GET", "/api/uploads/{}/manifest"),
        ("GET", "/api/uploads/{}/jobs"),
        ("GET", "/api/uploads/{}/download"),
        ("DELETE", "/api/uploads/{}"),
    ],
)
async def test_a_path_with_anything_in_it_finds_nothing(
    client: httpx.AsyncClient, method: str, path: str, name: str
) -> None:
    """NUL, separators, bytes that are no UTF-8, line breaks."""
    answer = await client.request(method, path.format(name))

    status, code, field = _told(answer)
    assert (status, code) in {
        (404, "upload-not-found"),
        (404, "no-such-route"),
        (405, "method-not-allowed"),
    }
    assert field == ("uploadId" if code == "upload-not-found" else None)


@pytest.mark.parametrize("value", ["maybe", "", "2", "\x00"])
async def test_verify_is_true_or_false(client: httpx.AsyncClient, value: str) -> None:
    """Anything else is refused and not taken for one of them."""
    upload_id = await opened(client, 1)

    answer = await client.get(f"/api/upload/status/{upload_id}", params={"verify": value})

    assert _told(answer) == (422, "invalid-field", "verify")


async def test_of_a_name_given_twice_the_last_counts(client: httpx.AsyncClient) -> None:
    """JSON leaves it open; what is checked and what is kept must be the same one."""
    good = b'"fileSize": 1, "fileType": "text/csv"}'
    last_is_good = b'{"fileName": "../bad", "fileName": "good.csv", ' + good
    last_is_bad = b'{"fileName": "good.csv", "fileName": "../bad", ' + good

    kept, refused = [
        await client.post("/api/upload/init", content=body, headers=_JSON)
        for body in (last_is_good, last_is_bad)
    ]

    status = await client.get(f"/api/upload/status/{kept.json()['uploadId']}")
    assert status.json()["fileName"] == "good.csv"
    assert _told(refused) == (422, "invalid-field", "fileName")


async def test_metadata_is_kept_as_it_was_sent(client: httpx.AsyncClient) -> None:
    """Numbers of any length, other scripts, nesting: it is the client's."""
    metadata = {"n": [10**30, -(10**400), 1.5e-300], "数据": {"a": [{}, [], None, "\n"]}}
    upload_id = await opened(client, 1, metadata=metadata)

    status = await client.get(f"/api/upload/status/{upload_id}")

    assert status.json()["metadata"] == metadata
