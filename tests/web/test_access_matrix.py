"""Who may do what: all routes, all callers, whosever thing it is. ``make matrix`` prints it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from litestar import Litestar

from coordinator.domain.access import Action, Role, Scope, roles_for
from coordinator.domain.uploads import Owner
from coordinator.web import auth
from tests.conftest import MakeKey, client_of
from tests.web.access_matrix import Things, drawn, operations_of, run, told_apart
from tests.web.access_table import PROBES, Thing, Who, Whose
from tests.web.deliveries import a_delivery
from tests.web.driving import NO_UPLOAD, a_file, completed

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_NOBODYS = {
    Thing.UPLOAD: NO_UPLOAD,
    Thing.ENDED: NO_UPLOAD,
    Thing.JOB: "job_00000000000000000000000001",
    Thing.KEY: "ck_aaaaaaaaaaaaa",
    Thing.ERASURE: "ers_00000000000000000000000001",
    Thing.DELIVERY: "evt_00000000000000000000000001",
}
_ROLES: dict[Who, tuple[tuple[Role, ...], tuple[Scope, ...]]] = {
    Who.UPLOADER: ((Role.UPLOADER,), ()),
    Who.BACKEND: ((Role.UPLOADER,), (Scope.ACT_AS,)),
    Who.VIEWER: ((Role.VIEWER,), ()),
    Who.OPERATOR: ((Role.OPERATOR,), ()),
    Who.ADMIN: ((Role.ADMIN,), ()),
    Who.INSTALLER: ((Role.ADMIN,), (Scope.EVERY_TENANT,)),
}


@pytest.fixture
async def things(
    app: Litestar, make_key: MakeKey, tenant: str, s3_http: httpx.AsyncClient
) -> AsyncIterator[Things]:
    """Callers of the test's tenant, and things of theirs, of colleagues and of strangers."""
    everything = {"roles": (Role.UPLOADER, Role.ADMIN)}
    owners = {
        Whose.MINE: await make_key(**everything),
        Whose.MY_OTHER: await make_key(**everything),
        Whose.COLLEAGUES: await make_key(user="bob", **everything),
        Whose.STRANGERS: await make_key(tenant=f"not-{tenant}", **everything),
    }

    tokens: dict[str, str] = {}

    async def make(thing: Thing, whose: Whose) -> str:
        if whose is Whose.NOBODYS:
            return _NOBODYS[thing]
        async with client_of(app, owners[whose]) as owner:
            if thing is Thing.JOB:
                return await _a_job(owner, s3_http)
            if thing is Thing.DELIVERY:
                of = f"not-{tenant}" if whose is Whose.STRANGERS else tenant
                return await a_delivery(app.state.stores.pool, of)
            if thing in {Thing.KEY, Thing.ERASURE}:
                return await _of_a_tenant(owner, thing)
            made, tokens[made] = await _an_upload(owner, is_ended=thing is Thing.ENDED)
            return made

    credentials = {
        who: await make_key(roles=roles, scopes=scopes) for who, (roles, scopes) in _ROLES.items()
    }
    things = Things(app, credentials, make, tokens)
    yield things
    await things.close()


async def _an_upload(owner: httpx.AsyncClient, *, is_ended: bool) -> tuple[str, str]:
    """Open an upload, and end it if it is to be over; return its id and a token for it."""
    answer = await owner.post("/api/upload/init", json=a_file(3, uploadToken=True))
    assert answer.status_code == 201, answer.text
    upload_id, token = answer.json()["uploadId"], answer.json()["uploadToken"]
    if is_ended:
        assert (await owner.delete(f"/api/uploads/{upload_id}")).status_code == 204
    return upload_id, token


async def _a_job(owner: httpx.AsyncClient, s3: httpx.AsyncClient) -> str:
    upload_id = await completed(owner, s3, b"abc")
    answer = await owner.get(f"/api/uploads/{upload_id}/jobs")
    job_id: str = answer.json()["jobs"][0]["jobId"]
    return job_id


async def _of_a_tenant(owner: httpx.AsyncClient, thing: Thing) -> str:
    path, body, name = {
        Thing.KEY: ("/api/keys", {"name": "a key", "roles": ["viewer"]}, "keyId"),
        Thing.ERASURE: ("/api/erasures", {"userId": "nobody", "dryRun": True}, "erasureId"),
    }[thing]
    answer = await owner.post(path, json=body)
    assert answer.is_success, answer.text
    made: str = answer.json()[name]
    return made


async def test_every_route_is_for_what_the_table_says(app: Litestar) -> None:
    """A route that is added without a row fails here, before anybody can call it unseen."""
    document = app.openapi_schema.to_schema()

    told = {each.route: each.action for each in operations_of(document)}
    assert told == {route: probe.action for route, probe in PROBES.items()}


async def test_everybody_may_do_what_the_table_says_and_nothing_else(
    app: Litestar, things: Things
) -> None:
    """All of it, and what is foreign answers exactly as what never was."""
    operations = operations_of(app.openapi_schema.to_schema())

    cells = await run(things, operations)

    print("\n" + "\n".join(drawn(cells)))  # noqa: T201 - `make matrix` shows it
    assert [cell for cell in cells if not cell.is_right] == []
    assert told_apart(cells) == []
    assert len({(cell.who, cell.whose) for cell in cells}) > len(Who)


async def test_a_guard_that_lets_through_is_noticed(
    app: Litestar, things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The matrix can fail: with the check of one action gone, what was refused passes."""
    operations = operations_of(app.openapi_schema.to_schema())
    one_each = {each.action: each for each in operations if each.action is not None}
    unnoticed = []
    for action, operation in one_each.items():
        with monkeypatch.context() as patched:
            patched.setattr(auth, "allowed", lambda caller, _action: Owner(caller.tenant, None))
            cells = await run(things, [operation])
        if all(cell.is_right for cell in cells):
            unnoticed.append(action)

    assert set(one_each) == {action.value for action in Action}
    assert unnoticed == []


async def test_the_document_names_the_roles_that_the_table_has(app: Litestar) -> None:
    """What people read is what is done."""
    paths = app.openapi_schema.to_schema()["paths"]
    told = {
        (method, path): (operation["x-action"], operation["x-roles"])
        for path, methods in paths.items()
        for method, operation in methods.items()
        if "x-action" in operation
    }

    assert told
    for action, roles in told.values():
        assert roles == [role.value for role in roles_for(Action(action))]
