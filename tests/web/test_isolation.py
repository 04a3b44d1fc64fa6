"""Nobody reaches another's upload: every route of the OpenAPI document, tenants and users."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import httpx
import pytest
from litestar import Litestar

from coordinator.adapters import uploads
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Scope
from coordinator.domain.errors import UnauthenticatedError, UploadNotFoundError
from coordinator.domain.ids import UPLOAD, decode
from tests.conftest import MakeKey, client_of
from tests.web.driving import NO_UPLOAD, a_file, completed, opened, problem, sent

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_DIGEST: Final = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
_HERE: Final = object()  # stands for the upload's id

# Every route of the document has a row: how it names an upload, or why it names none.
_OPEN: Final = "needs no key"
_OWN: Final = "shows or makes the caller's own only"
_BY_ERASURE: Final = "erases in the admin's tenant: test_erasures.py"
_BY_ADMIN: Final = "is of the admin's tenant: test_retention.py"
_BY_JOB: Final = "names a job: test_jobs.py"
_BY_TRAINER: Final = "takes the token of one job: test_callbacks.py"
_BY_OPERATOR: Final = "is for operators: test_jobs.py, test_deliveries.py, test_backlog.py"
_AUDIT: Final = "is of the admin's tenant: test_audit.py"
_BY_KEY: Final = "is about keys: test_keys.py"
_BY_TENANT: Final = "is about a tenant's quotas: test_quotas.py"
_ROUTES: Final[dict[tuple[str, str], str | dict[str, Any]]] = {
    ("post", "/api/upload/init"): _OWN,
    ("get", "/api/uploads"): _OWN,
    ("get", "/api/me"): _OWN,
    ("get", "/api/health"): _BY_OPERATOR,
    ("get", "/api/uploads/{upload_id}/timeline"): {},
    ("post", "/api/upload/urls"): {
        "uploadId": _HERE,
        "chunks": [{"chunkIndex": 0, "sha256": _DIGEST}],
    },
    ("post", "/api/upload/chunk"): {"uploadId": _HERE, "chunkIndex": 0},
    ("post", "/api/upload/complete"): {"uploadId": _HERE},
    ("get", "/api/upload/status/{upload_id}"): {},
    ("get", "/api/uploads/{upload_id}/manifest"): {},
    ("get", "/api/uploads/{upload_id}/jobs"): {},
    ("get", "/api/uploads/{upload_id}/download"): {},
    ("get", "/api/uploads/{upload_id}/events"): {},
    ("delete", "/api/uploads/{upload_id}"): {},
    ("get", "/api/uploads/{upload_id}/artifacts"): {},
    ("post", "/api/uploads/{upload_id}/jobs"): _BY_OPERATOR,
    ("get", "/api/stats"): _OWN,
    ("get", "/api/jobs"): _OWN,
    ("get", "/api/jobs/{job_id}"): _BY_JOB,
    ("post", "/api/jobs/{job_id}/retry"): _BY_JOB,
    ("post", "/api/jobs/{job_id}/cancel"): _BY_JOB,
    ("post", "/api/jobs/{job_id}/callback"): _BY_TRAINER,
    ("get", "/api/search"): _OWN,
    ("get", "/api/datasets"): _OWN,
    ("get", "/api/datasets/{upload_id}/card"): {},
    ("get", "/api/deliveries"): _BY_OPERATOR,
    ("post", "/api/deliveries/{event_id}/{sink}/retry"): _BY_OPERATOR,
    ("post", "/api/uploads/{upload_id}/token"): {},
    ("post", "/api/keys"): _BY_KEY,
    ("get", "/api/keys"): _BY_KEY,
    ("post", "/api/keys/{key_id}/rotate"): _BY_KEY,
    ("delete", "/api/keys/{key_id}"): _BY_KEY,
    ("get", "/api/quotas"): _BY_TENANT,
    ("put", "/api/quotas"): _BY_TENANT,
    ("get", "/api/audit"): _AUDIT,
    ("post", "/api/erasures"): _BY_ERASURE,
    ("get", "/api/erasures"): _BY_ERASURE,
    ("get", "/api/erasures/{erasure_id}"): _BY_ERASURE,
    ("put", "/api/uploads/{upload_id}/hold"): _BY_ADMIN,
    ("delete", "/api/uploads/{upload_id}/hold"): _BY_ADMIN,
    ("get", "/api/retention"): _BY_ADMIN,
    ("put", "/api/retention"): _BY_ADMIN,
    ("get", "/api/retention/preview"): _BY_ADMIN,
    ("get", "/healthz"): _OPEN,
    ("get", "/readyz"): _OPEN,
    ("get", "/metrics"): _OPEN,
}


def _document(app: Litestar) -> set[tuple[str, str]]:
    paths = app.openapi_schema.to_schema()["paths"]
    return {(method, path) for path, operations in paths.items() for method in operations}


def _requests(upload_id: str) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    for (method, path), row in _ROUTES.items():
        if isinstance(row, dict):
            body = {key: upload_id if value is _HERE else value for key, value in row.items()}
            yield method, path.replace("{upload_id}", upload_id), body or None


async def _answers(client: httpx.AsyncClient, upload_id: str) -> list[tuple[str, int, Any]]:
    answers = []
    for method, path, body in _requests(upload_id):
        for query in ("", "?verify=true") if "status" in path else ("",):
            answer = await client.request(method, path + query, json=body)
            told = answer.json() if answer.content else None
            answers.append((f"{method} {path.replace(upload_id, '')}", answer.status_code, told))
    return answers


async def test_every_route_of_the_document_has_a_row(app: Litestar) -> None:
    """A route that is added without one fails here, before it can leak."""
    assert _document(app) == set(_ROUTES)


async def test_every_route_but_the_machines_needs_a_key(app: Litestar) -> None:
    """The guard runs before the body is looked at."""
    async with client_of(app, None) as nobody:
        answers = {
            (method, path): await nobody.request(method, path.replace("{upload_id}", NO_UPLOAD))
            for (method, path), row in _ROUTES.items()
            if row is not _OPEN
        }

    refused = problem(UnauthenticatedError)
    assert {route: answer.json() for route, answer in answers.items()} == dict.fromkeys(
        answers, refused
    )


@pytest.fixture(params=["another user", "another tenant", "a backend of another tenant"])
async def stranger(
    request: pytest.FixtureRequest, app: Litestar, make_key: MakeKey, tenant: str
) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a good key who owns none of alice's uploads."""
    who: dict[str, dict[str, Any]] = {
        "another user": {"user": "bob"},
        "another tenant": {"tenant": f"not-{tenant}"},
        "a backend of another tenant": {"tenant": f"not-{tenant}", "scopes": (Scope.ACT_AS,)},
    }
    async with client_of(app, await make_key(**who[request.param])) as opened_client:
        yield opened_client


@pytest.mark.parametrize("is_completed", [False, True])
@pytest.mark.parametrize("redis_knows", [True, False])
async def test_a_foreign_upload_looks_like_none_at_all(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    stranger: httpx.AsyncClient,
    *,
    is_completed: bool,
    redis_knows: bool,
) -> None:
    """Foreign, unknown and misspelled ids answer the same but for the request's id."""
    foreign = await (_completed if is_completed else _half)(client, s3_http)
    await _prepare(stores, foreign, redis_knows=redis_knows)
    before = (await client.get(f"/api/upload/status/{foreign}")).json()

    answers = {
        upload_id: await _answers(stranger, upload_id)
        for upload_id in (foreign, NO_UPLOAD, "upl_x", foreign.upper(), f"{foreign}0")
    }

    refused = problem(UploadNotFoundError, field="uploadId")
    for told in answers.values():
        assert [(status, body) for _, status, body in told] == [(404, refused)] * len(told)
        assert _anonymous(told) == _anonymous(answers[NO_UPLOAD])
    after = (await client.get(f"/api/upload/status/{foreign}")).json()
    assert after == before


def _anonymous(answers: list[tuple[str, int, Any]]) -> list[tuple[str, int, Any]]:
    return [(route, status, body | {"requestId": ""}) for route, status, body in answers]


async def _completed(client: httpx.AsyncClient, s3: httpx.AsyncClient) -> str:
    return await completed(client, s3, b"abc")


async def _half(client: httpx.AsyncClient, s3: httpx.AsyncClient) -> str:
    upload_id = await opened(client, 3)
    await sent(client, s3, upload_id, {0: b"abc"})
    return upload_id


async def _prepare(stores: Stores, upload_id: str, *, redis_knows: bool) -> None:
    known = decode(UPLOAD, upload_id)
    assert known is not None
    async with stores.pool.connection() as conn:
        row = await uploads.read_any(conn, known)
    if redis_knows:
        await stores.ledger.rebuild(row, {})
    else:
        await stores.ledger.forget(row)


async def test_a_strangers_same_file_is_an_upload_of_its_own(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    """Neither checksum nor Idempotency-Key leads to somebody else's upload."""
    body = a_file(3, checksum=f"sha256:{_DIGEST}")
    headers = {"Idempotency-Key": "the-same"}

    answers = [
        await caller.post("/api/upload/init", json=body, headers=headers)
        for caller in (client, stranger)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    listed = [each["uploadId"] for each in (await stranger.get("/api/uploads")).json()["uploads"]]
    assert answers[0].json()["uploadId"] not in listed
