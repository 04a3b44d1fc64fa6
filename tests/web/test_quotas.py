"""Admins see what their tenant may use; the installation's admin sets it, for any tenant."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import pytest

from coordinator.adapters.stores import Stores
from coordinator.domain.errors import ForbiddenError, InvalidFieldError, RoleMissingError
from tests.builders import rows
from tests.web.driving import opened, problem

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_NOTHING: Final[dict[str, Any]] = {
    "openUploads": None,
    "bytesADay": None,
    "storedBytes": None,
    "largestFile": None,
    "chunksASecond": None,
    "fileTypes": None,
    "typeCheck": None,
}


@pytest.fixture
async def default(installer: httpx.AsyncClient) -> AsyncIterator[dict[str, Any]]:
    """A default of all tenants, taken back afterwards: the module's tests share a database."""
    body = {"openUploads": 7, "typeCheck": "off", "fileTypes": ["application/*", "text/csv"]}
    answer = await installer.put("/api/quotas?tenant=*", json=body)
    assert answer.status_code == 200, answer.text
    yield body
    await installer.put("/api/quotas?tenant=*", json={})


def _answer(tenant: str, *, used: tuple[int, int] = (0, 0), **own: Any) -> dict[str, Any]:
    count, size = used
    return {
        "tenant": tenant,
        "limits": {**_NOTHING, "typeCheck": "note", **own},
        "own": {**_NOTHING, **own},
        "usage": {
            "openUploads": count,
            "storedBytes": size,
            "dayBytes": size,
            "day": datetime.now(UTC).date().isoformat(),
        },
    }


async def test_an_admin_sees_what_holds_and_what_is_used(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, tenant: str
) -> None:
    """Nothing is limited until somebody limits it."""
    before = (await admin.get("/api/quotas")).json()
    await opened(client, 5)

    after = (await admin.get("/api/quotas")).json()

    assert before == _answer(tenant)
    assert after == _answer(tenant, used=(1, 5))


async def test_a_field_that_the_tenant_leaves_open_is_the_defaults(
    admin: httpx.AsyncClient, installer: httpx.AsyncClient, default: dict[str, Any], tenant: str
) -> None:
    """Field by field; what the body leaves out is not kept from before."""
    own: dict[str, Any] = {"openUploads": 3, "bytesADay": 0, "typeCheck": "refuse"}
    where = f"/api/quotas?tenant={tenant}"
    set_ = await installer.put(where, json=own)
    shown = await admin.get("/api/quotas")
    again = await installer.put(where, json={"largestFile": 9})

    expected = _answer(tenant, **own)
    expected["limits"]["fileTypes"] = default["fileTypes"]
    assert (set_.json(), shown.json()) == (expected, expected)
    assert again.json()["own"] == {**_NOTHING, "largestFile": 9}
    assert again.json()["limits"] == {**_NOTHING, **default, "largestFile": 9}


async def test_limits_hold_for_the_next_init(
    client: httpx.AsyncClient, installer: httpx.AsyncClient, tenant: str
) -> None:
    """What is open stays open."""
    await opened(client, 5)
    await installer.put(f"/api/quotas?tenant={tenant}", json={"openUploads": 1})

    refused = await client.post(
        "/api/upload/init", json={"fileName": "b", "fileSize": 1, "fileType": ""}
    )

    assert (refused.status_code, refused.json()["quota"]) == (403, "openUploads")


async def test_a_change_stands_in_the_audit_of_the_tenant(
    installer: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """Old and new numbers, and of types how many."""
    where = f"/api/quotas?tenant={tenant}"
    await installer.put(where, json={"openUploads": 3, "typeCheck": "note"})
    await installer.put(where, json={"openUploads": 4, "fileTypes": ["text/*"]})

    query = "SELECT facts FROM audit WHERE action = 'quotas.changed' AND tenant = %s ORDER BY id"
    facts = [row["facts"]["changes"] for row in await rows(stores.pool, query, [tenant])]

    assert facts == [
        {"open_uploads": [None, 3], "type_check": [None, "note"]},
        {"open_uploads": [3, 4], "file_types": [None, 1], "type_check": ["note", None]},
    ]


async def test_no_tenant_sets_its_own(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, installer: httpx.AsyncClient
) -> None:
    """Nor looks at another's; whoever may, names what can be a tenant."""
    alice = await client.get("/api/quotas")
    own = await admin.put("/api/quotas", json={"openUploads": 9})
    others = [await admin.get(f"/api/quotas?tenant={name}") for name in ("other", "*")]
    nonsense = [await installer.get(f"/api/quotas?tenant={name}") for name in ("a%00b", "a/b", "")]

    assert alice.json()["code"] == RoleMissingError.code
    assert own.json() == problem(ForbiddenError, scope="every-tenant")
    assert [each.json()["code"] for each in others] == [ForbiddenError.code] * 2
    assert [each.json()["code"] for each in nonsense] == [InvalidFieldError.code] * 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"openUploads": -1}, "openUploads"),
        ({"storedBytes": 2**63}, "storedBytes"),
        ({"bytesADay": 1e400}, "bytesADay"),
        ({"chunksASecond": 0}, "chunksASecond"),
        ({"fileTypes": ["text"]}, "fileTypes[0]"),
        ({"fileTypes": ["*/csv"]}, "fileTypes[0]"),
        ({"fileTypes": ["text/csv\n"]}, "fileTypes[0]"),
        ({"typeCheck": "maybe"}, "typeCheck"),
        ({"openUpload": 1}, "openUpload"),
    ],
)
async def test_a_limit_that_means_nothing_is_refused(
    installer: httpx.AsyncClient, *, body: dict[str, Any], field: str
) -> None:
    """A typing error must not leave a tenant without limits."""
    content = str(body).replace("'", '"').replace("inf", "1e400").encode()

    answer = await installer.put(
        "/api/quotas", content=content, headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.json().get("field")) == (422, field)
