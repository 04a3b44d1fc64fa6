"""Whoever calls while a service is fuzzed, and what there is to be met."""

from typing import Final

import httpx

from coordinator import settings as settings_module
from coordinator.cli.keys import create_key
from coordinator.domain.access import Role, Scope
from tests.fuzz.documented import World
from tests.web.driving import a_file, completed

WHO: Final = (
    *("nobody", "token", "uploader", "backend", "viewer", "operator", "admin", "installer"),
    "everything",
)
_CALLERS: Final[dict[str, tuple[tuple[Role, ...], tuple[Scope, ...]]]] = {
    "uploader": ((Role.UPLOADER,), ()),
    "backend": ((Role.UPLOADER,), (Scope.ACT_AS,)),
    "viewer": ((Role.VIEWER,), ()),
    "operator": ((Role.OPERATOR,), ()),
    "admin": ((Role.ADMIN,), ()),
    "installer": ((Role.ADMIN,), (Scope.EVERY_TENANT,)),
    "everything": ((Role.UPLOADER, Role.ADMIN), (Scope.ACT_AS, Scope.EVERY_TENANT)),
}


async def key_for(environ: dict[str, str], who: str, *, tenant: str = "default") -> str:
    """Make a key."""
    roles, scopes = _CALLERS[who]
    key = await create_key(
        settings_module.read(environ),
        name=who,
        tenant=tenant,
        user="default",
        roles=roles,
        scopes=scopes,
        lifetime=None,
    )
    return key.text


async def world_of(
    url: str, environ: dict[str, str], who: str, *, tenant: str | None = None
) -> World:
    """Make a tenant with one caller, and uploads, jobs, keys and erasures that it can meet."""
    tenant = tenant or f"fuzz-{who}"
    own = None if who in {"nobody", "token"} else await key_for(environ, who, tenant=tenant)
    everything = _bearer(await key_for(environ, "everything", tenant=tenant))
    async with (
        httpx.AsyncClient(base_url=url, headers=everything) as owner,
        httpx.AsyncClient() as s3,
    ):
        opened = await owner.post("/api/upload/init", json=a_file(3, uploadToken=True))
        ended = await owner.post("/api/upload/init", json=a_file(4))
        await owner.delete(f"/api/uploads/{ended.json()['uploadId']}")
        done = await completed(owner, s3, b"abcde")
        jobs = (await owner.get(f"/api/uploads/{done}/jobs")).json()["jobs"]
        key = await owner.post("/api/keys", json={"name": "met", "roles": ["viewer"]})
        erasure = await owner.post("/api/erasures", json={"userId": "nobody", "dryRun": True})
    uploads = [opened.json()["uploadId"], done, ended.json()["uploadId"]]
    known = {
        "upload_id": uploads,
        "uploadId": uploads,
        "job_id": [each["jobId"] for each in jobs],
        "key_id": [key.json()["keyId"]],
        "erasure_id": [erasure.json()["erasureId"]],
    }
    credential = opened.json()["uploadToken"] if who == "token" else own
    return World(who, credential, known, ended=uploads[1:])


def _bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}
