"""Whatever is sent, the answer is never a 5xx, and every refusal is a problem document."""

import json
from typing import Any, Final

import httpx
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.web.bad_bodies import GOOD
from tests.web.driving import CHUNK, opened

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_ROUTES: Final = sorted(GOOD)
# What the routes know, so that the fuzz gets past the first check.
_NAMES: Final = [
    *("fileName", "fileSize", "fileType", "checksum", "metadata", "chunkSize", "userId"),
    *("uploadId", "chunks", "force", "chunkIndex", "sha256", "etag", "totalChunks", "error"),
    *("data", "manifest", "status", "code", "purpose", "schema"),
]
_numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([-1, 0, 1, CHUNK, 10_000, 2**31, 2**63, 2**64, 10**400, 1e308, float("inf")]),
)
_values = st.recursive(
    st.none() | st.booleans() | _numbers | st.text() | st.sampled_from(["ab" * 32, "\x00", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(_NAMES) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
_changes = st.dictionaries(st.sampled_from(_NAMES), _values, max_size=2)
_fuzzing = settings(
    max_examples=120,
    deadline=None,
    # One upload for all examples is what is wanted: they must not harm each other.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


async def _check(client: httpx.AsyncClient, path: str, body: bytes) -> None:
    answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})

    event(f"{answer.status_code // 100}xx")
    assert answer.status_code < 500, answer.text
    if answer.is_success:
        assert answer.headers["content-type"] == "application/json"
        return
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["status"] == answer.status_code
    assert {"type", "title", "detail", "code", "requestId"} <= set(told)


def _good(path: str, upload_id: str) -> dict[str, Any]:
    good = GOOD[path]
    return good | {"uploadId": upload_id} if "uploadId" in good else good


@pytest.mark.parametrize("path", _ROUTES)
@_fuzzing
@given(changes=_changes | _values)
async def test_any_json_is_answered(client: httpx.AsyncClient, path: str, changes: Any) -> None:
    """Good bodies with fields of any value, and values that are no body at all."""
    good = _good(path, await _upload(client))
    body = good | changes if isinstance(changes, dict) else changes

    await _check(client, path, json.dumps(body).encode())


@pytest.mark.parametrize("path", _ROUTES)
@_fuzzing
@given(noise=st.binary(max_size=60), at=st.integers(0, 120), is_spliced=st.booleans())
async def test_any_bytes_are_answered(
    client: httpx.AsyncClient, path: str, *, noise: bytes, at: int, is_spliced: bool
) -> None:
    """Noise alone, and noise in the middle of a good body."""
    whole = json.dumps(_good(path, await _upload(client))).encode()

    await _check(client, path, whole[:at] + noise + whole[at:] if is_spliced else noise)


async def _upload(client: httpx.AsyncClient) -> str:
    """Return one upload a test: found again by its checksum."""
    answer = await client.get("/api/uploads", params={"limit": 1, "status": "UPLOADING"})
    for known in answer.json()["uploads"]:
        found: str = known["uploadId"]
        return found
    upload_id = await opened(client, 2 * CHUNK)
    chunks = [{"chunkIndex": 1, "sha256": "cd" * 32}]
    await client.post("/api/upload/urls", json={"uploadId": upload_id, "chunks": chunks})
    return upload_id
