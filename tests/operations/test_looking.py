"""Looking at an upload while it moves on: what the ledger no longer knows is asked of S3."""

import httpx
import msgspec
import pytest

from coordinator.adapters.stores import Stores
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Owner
from coordinator.operations.look_at_upload import Sight, ask_for_progress, look
from tests.builders import SMALLEST, complete, cut, row_of, send_all, some_bytes, status, uuid_of

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_CHUNKS = cut(some_bytes(SMALLEST + 3), SMALLEST)
_OWNER = Owner("default", None)


async def test_an_assembling_upload_has_a_status_although_its_ledger_is_gone(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """Rebuilding the ledger then ended in 409, for a mere question."""
    upload_id = await send_all(client, s3_http, _CHUNKS, autoComplete=True)
    chunks = [{"chunkIndex": index} for index in range(2)]
    await client.post("/api/upload/chunk", json={"uploadId": upload_id, "chunks": chunks})

    told = [await status(client, upload_id) for _ in range(2)]

    assert [(each["status"], each["uploadedChunks"]) for each in told] == [("ASSEMBLING", 2)] * 2


async def test_progress_that_redis_forgot_stays_until_the_upload_is_opened_again(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Old knowledge is better than none, but not after S3 turned out to lack chunks."""
    upload_id = await send_all(client, s3_http, _CHUNKS)
    wanted = uuid_of(upload_id)
    first = await look(stores, wanted, _OWNER)
    await stores.ledger.forget(await row_of(stores.pool, wanted))
    standing = first.standing
    assembling = msgspec.structs.replace(standing, phase=Phase.ASSEMBLING)

    unknown = await look(stores, wanted, _OWNER)
    known = await look(stores, wanted, _OWNER, before=Sight(standing, 1))
    reopened = await look(stores, wanted, _OWNER, before=Sight(assembling, 2))
    asked = await ask_for_progress(stores, wanted, _OWNER, unknown)
    repaired = await look(stores, wanted, _OWNER)
    await complete(client, upload_id)
    completed = await look(stores, wanted, _OWNER)

    assert (first.uploaded, standing.total, standing.phase) == (0, 2, Phase.UPLOADING)
    told = [unknown, known, reopened, asked, repaired, completed]
    assert [sight.uploaded for sight in told] == [None, 1, None, 2, 2, 2]
    assert completed.standing.phase is Phase.COMPLETED
    assert not completed.standing.is_over
