"""``GET /api/me``: a page shows what its key may do, and nothing that would be refused."""

from typing import Any, Final

import httpx
import pytest
from litestar import Litestar

from coordinator.domain.access import Role, Scope
from tests.conftest import MakeKey, client_of
from tests.web.driving import a_file

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_PATH: Final = "/api/me"
_READS: Final = {"watch": "tenant", "read": "tenant", "count": "tenant"}
_OPERATES: Final = {**_READS, "abort": "tenant", "retry": "tenant"}
_UPLOADS: Final = ("open", "send", "watch", "abort", "read", "renew", "count")


@pytest.mark.parametrize(
    ("roles", "scopes", "may"),
    [
        ((Role.UPLOADER,), (), dict.fromkeys(_UPLOADS, "own")),
        ((Role.UPLOADER,), (Scope.ACT_AS,), dict.fromkeys(_UPLOADS, "tenant")),
        ((Role.VIEWER,), (), _READS),
        ((Role.OPERATOR,), (), _OPERATES),
        ((Role.ADMIN,), (), {**_OPERATES, "administer": "tenant"}),
        (
            (Role.ADMIN,),
            (Scope.EVERY_TENANT,),
            {**_OPERATES, "administer": "tenant", "govern": "tenant"},
        ),
        (
            (Role.UPLOADER, Role.VIEWER),
            (),
            {**dict.fromkeys(_UPLOADS, "own"), **_READS},
        ),
    ],
)
async def test_a_key_is_told_what_it_may_do(
    app: Litestar,
    make_key: MakeKey,
    tenant: str,
    *,
    roles: tuple[Role, ...],
    scopes: tuple[Scope, ...],
    may: dict[str, str],
) -> None:
    """Whole: an action that is not there is refused."""
    async with client_of(app, await make_key(roles=roles, scopes=scopes)) as caller:
        told = (await caller.get(_PATH)).json()

    assert told == {
        "tenant": tenant,
        "userId": "alice",
        "roles": sorted(roles),
        "scopes": list(scopes),
        "may": may,
        "uploadId": None,
    }


async def test_a_token_is_told_its_upload(
    app: Litestar, client: httpx.AsyncClient, tenant: str
) -> None:
    """A page that was opened with a token knows from it what to upload."""
    made = (await client.post("/api/upload/init", json=a_file(3, uploadToken=True))).json()
    async with client_of(app, made["uploadToken"]) as page:
        told: dict[str, Any] = (await page.get(_PATH)).json()

    assert told == {
        "tenant": tenant,
        "userId": "alice",
        "roles": ["upload-token"],
        "scopes": [],
        "may": {"send": "upload", "watch": "upload", "abort": "upload"},
        "uploadId": made["uploadId"],
    }
