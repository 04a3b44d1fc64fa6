"""S3's answer to CompleteMultipartUpload is believed only where it shows our root."""

from datetime import timedelta

import httpx
import pytest

from coordinator.adapters import signings
from coordinator.adapters.stores import Stores
from coordinator.domain.assembly import Content, assemble
from coordinator.operations import assemble_object
from coordinator.operations.assemble_object import PartsLostError
from tests.builders import send_all
from tests.operations.dying import die_sealed


async def test_an_object_with_another_root_is_never_taken(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """S3 says 200, but the object is not what the digests say: it goes, the chunks come again."""
    upload_id = await send_all(client, s3_http, [b"the one chunk"])
    upload = await die_sealed(stores, upload_id, lease=timedelta(seconds=60))
    assert upload.multipart_id is not None
    async with stores.pool.connection() as conn:
        digests = await signings.read_digests(conn, upload.id)
    listed = await stores.bucket.list_parts(upload.object_key, upload.multipart_id, upload.plan)
    parts = assemble(upload.plan, digests, listed)

    with pytest.raises(PartsLostError):
        await assemble_object._complete(
            stores, upload, Content(upload.plan, bytes(32)), upload.multipart_id, parts
        )

    assert await stores.bucket.facts(upload.object_key) is None
