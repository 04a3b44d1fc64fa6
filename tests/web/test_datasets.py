"""The catalogue: whoever may read an upload finds it there once it has a card, and reads that."""

import json
from typing import Any

import httpx
import pytest
from litestar import Litestar

from coordinator.adapters.entropy import new_uuid
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Role
from coordinator.domain.errors import InvalidFieldError, NoCardError, UploadNotFoundError
from coordinator.domain.uploads import Upload
from tests.builders import add_upload
from tests.conftest import MakeKey, client_of
from tests.web.driving import NO_UPLOAD, TIME, problem

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_JOB = """
INSERT INTO jobs (id, upload_id, kind, parameters, position, state, finished_at, result)
VALUES (%(job)s, %(upload)s, %(kind)s, %(parameters)s, 0, 'succeeded', clock_timestamp(),
        %(result)s)
"""
_ARTIFACT = """
INSERT INTO artifacts (job_id, path, object_key, size_bytes, root, sha256, media_type)
VALUES (%(job)s, %(path)s, %(key)s, %(size)s, 'r-1', sha256(''), 'application/ld+json')
"""


async def described(
    stores: Stores,
    upload: Upload,
    card: Any,
    *,
    path: str = "croissant.json",
    kind: str = "generate_metadata",
    description: str = "Stories of ships.",
    size: int | None = None,
) -> None:
    """Let a job have described the upload, its card in S3."""
    job, body = new_uuid(), json.dumps(card).encode()
    key = f"cards/{job}/croissant.json"
    await stores.bucket.put(key, body, file_type="application/ld+json")
    values = {
        "job": job,
        "upload": upload.id,
        "kind": kind,
        "parameters": json.dumps({"description": description}),
        "result": json.dumps({"status": "analyzed", "rows": 12, "columnCount": 3}),
        "path": path,
        "key": key,
        "size": len(body) if size is None else size,
    }
    async with transaction(stores.pool) as tx:
        await tx.execute(_JOB, values)
        await tx.execute(_ARTIFACT, values)


async def listed(client: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    """Read a page of the catalogue."""
    answer = await client.get("/api/datasets", params=params)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def test_an_upload_with_a_card_is_in_the_catalogue(
    client: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """With what people choose by."""
    upload = await add_upload(stores.pool, tenant=tenant, file_name="stories.jsonl")
    await add_upload(stores.pool, tenant=tenant)
    await described(stores, upload, {"name": "stories"})

    assert await listed(client) == {
        "datasets": [
            {
                "uploadId": upload.public_id,
                "fileName": "stories.jsonl",
                "rows": 12,
                "columns": 3,
                "description": "Stories of ships.",
                "createdAt": TIME,
            }
        ],
        "nextCursor": None,
    }


async def test_pages_go_from_the_newest_to_the_oldest(
    client: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """Each once."""
    made = [await add_upload(stores.pool, tenant=tenant) for _ in range(5)]
    for upload in made:
        await described(stores, upload, {})
    pages, cursor = [], None
    while True:
        page = await listed(client, limit=2, **({"cursor": cursor} if cursor else {}))
        pages.append([each["uploadId"] for each in page["datasets"]])
        cursor = page["nextCursor"]
        if cursor is None:
            break

    ids = [upload.public_id for upload in reversed(made)]
    assert pages == [ids[:2], ids[2:4], ids[4:]]


async def test_the_newest_card_counts(
    client: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """A job that ran again knew better; the upload stands there once."""
    upload = await add_upload(stores.pool, tenant=tenant)
    await described(stores, upload, {"name": "old"}, description="Old.")
    await described(stores, upload, {"name": "new"}, description="New.")

    page = await listed(client)
    card = await client.get(f"/api/datasets/{upload.public_id}/card")

    assert [each["description"] for each in page["datasets"]] == ["New."]
    assert card.json() == {"name": "new"}
    assert card.headers["content-type"] == "application/ld+json"


async def test_foreign_data_sets_are_not_there(
    app: Litestar, client: httpx.AsyncClient, stores: Stores, tenant: str, make_key: MakeKey
) -> None:
    """As foreign uploads are not."""
    bobs = await add_upload(stores.pool, tenant=tenant, user_id="bob")
    theirs = await add_upload(stores.pool, tenant=f"not-{tenant}")
    for upload in (bobs, theirs):
        await described(stores, upload, {})
    async with client_of(app, await make_key(user="eve", roles=(Role.VIEWER,))) as viewer:
        seen = [each["uploadId"] for each in (await listed(viewer))["datasets"]]

    answers = [
        await client.get(f"/api/datasets/{each}/card")
        for each in (bobs.public_id, theirs.public_id, NO_UPLOAD, "x")
    ]

    assert (await listed(client))["datasets"] == []
    assert seen == [bobs.public_id]
    assert [each.json() for each in answers] == [problem(UploadNotFoundError, field="uploadId")] * 4


async def test_what_is_being_erased_is_not_there(
    client: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """Nor is its card."""
    upload = await add_upload(stores.pool, tenant=tenant)
    await described(stores, upload, {})
    async with transaction(stores.pool) as tx:
        await tx.execute("UPDATE uploads SET erasing_since = now() WHERE id = %s", [upload.id])

    assert (await listed(client))["datasets"] == []
    card = await client.get(f"/api/datasets/{upload.public_id}/card")
    assert card.status_code == 404


@pytest.mark.parametrize(
    "changes",
    [{"path": "other.json"}, {"kind": "scan_pii"}, {"size": 4 * 1024 * 1024 + 1}, {"size": 0}],
)
async def test_what_has_no_card_says_so(
    client: httpx.AsyncClient, stores: Stores, tenant: str, changes: dict[str, Any]
) -> None:
    """Another artifact is none, and one that is too long is not read into memory."""
    upload = await add_upload(stores.pool, tenant=tenant)
    await described(stores, upload, {}, **changes)

    answer = await client.get(f"/api/datasets/{upload.public_id}/card")

    assert answer.status_code == 409
    assert answer.json() == problem(NoCardError, field="uploadId")


async def test_a_cursor_of_ones_own_is_refused(client: httpx.AsyncClient) -> None:
    """As everywhere."""
    answer = await client.get("/api/datasets", params={"cursor": "x"})

    assert answer.json() == problem(InvalidFieldError, field="cursor")
