"""Objects at an upload's key that are not the upload's."""

import hashlib
from datetime import timedelta

import httpx

from coordinator.adapters import clock
from coordinator.adapters.bucket import ObjectFacts
from coordinator.adapters.stores import Stores
from coordinator.domain import sigv4
from coordinator.domain.assembly import assemble
from coordinator.domain.plan import Plan
from coordinator.domain.uploads import Upload


async def assemble_decoy(stores: Stores, upload: Upload, body: bytes, differs: str) -> ObjectFacts:
    """Assemble an object of one chunk at the upload's key that differs in one thing, or in all."""
    token = "f" * 32 if differs in {"token", "all"} else upload.token
    forged = {
        "bytes": body[::-1],
        "size": body + b"!",
        "all": b"something else",
    }.get(differs, body)
    bucket, key, plan = stores.bucket, upload.object_key, Plan(len(forged), len(forged))
    multipart_id = await bucket.create_multipart(key, token=token, file_type="text/plain")
    digest = hashlib.sha256(forged).digest()
    [part] = sigv4.sign_parts(
        await bucket.credentials(),
        bucket.public,
        key=key,
        multipart_id=multipart_id,
        parts=[sigv4.Part(1, len(forged), digest)],
        at=clock.now(),
        lifetime=timedelta(minutes=1),
    )
    async with httpx.AsyncClient() as http:
        await http.put(part.url, content=forged, headers=part.headers)
    parts = assemble(plan, {0: digest}, await bucket.list_parts(key, multipart_id, plan))
    await bucket.complete(key, multipart_id, parts, size_bytes=len(forged))
    facts = await bucket.facts(key)
    assert facts is not None
    return facts
