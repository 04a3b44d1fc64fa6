"""Service and worker run as a role that cannot change what was noted, and want for nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest
from litestar import Litestar
from psycopg import errors, sql
from psycopg.rows import DictRow

from coordinator.adapters.migrations import migrate, pending
from coordinator.adapters.migrations.grants import OwnerAsServiceRoleError
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Role, Scope
from coordinator.domain.examination import Result
from coordinator.domain.jobs import job_id
from coordinator.domain.kinds import Kind
from coordinator.embedded import Addresses
from coordinator.operations.chain_audit import chain_audit
from coordinator.operations.erase import erase
from coordinator.operations.examine_servers import examine_postgres
from coordinator.operations.expire_uploads import expire_uploads
from coordinator.operations.retain_uploads import retain_uploads
from coordinator.operations.sweep_bucket import sweep_bucket
from coordinator.operations.take_over_uploads import take_over_uploads
from coordinator.settings import Settings
from coordinator.worker.run_job import run_job
from tests.builders import complete, open_upload, rows, send_all, uuid_of
from tests.conftest import MakeKey, client_of

_PASSWORD: Final = uuid4().hex

Execute = Callable[[sql.SQL], Awaitable[Any]]


@pytest.fixture
async def role() -> str:
    """A role that no other test has: roles are the whole server's."""
    return f"service_{uuid4().hex}"


@pytest.fixture
async def owner_url(database_url: str) -> str:
    """The test's database as its owner."""
    return database_url


@pytest.fixture
async def service_url(owner_url: str, role: str) -> AsyncIterator[str]:
    """The test's database as the role that services run as."""
    await migrate(owner_url, service_role=role, password=_PASSWORD)
    place = owner_url.rpartition("@")[2]
    yield f"postgresql://{role}:{_PASSWORD}@{place}"
    async with await psycopg.AsyncConnection.connect(owner_url, autocommit=True) as conn:
        await conn.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
        await conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@pytest.fixture
def environ(environ: dict[str, str], service_url: str) -> dict[str, str]:
    """The service of these tests runs as the role."""
    return {**environ, "COORDINATOR_DATABASE_URL": service_url}


async def _do(url: str, statement: str) -> None:
    async with await psycopg.AsyncConnection[DictRow].connect(url, autocommit=True) as conn:
        await conn.execute(statement.encode())


@pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)
async def test_an_upload_goes_its_whole_way(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    settings: Settings,
    role: str,
) -> None:
    """Init to download, jobs, abort, expiry, takeover, sweep and chain: nothing is refused."""
    as_whom = await rows(stores.pool, sql.SQL("SELECT current_user AS name"))
    done = await send_all(client, s3_http, [b'{"a": 1}\n'], fileName="data.jsonl")
    assert (await complete(client, done)).status_code == 200
    await run_job(stores, settings, job_id(uuid_of(done), Kind.GENERATE_METADATA, {}))
    assert (await client.get(f"/api/uploads/{done}/download")).status_code == 307
    aborted = await open_upload(client, 1, fileName="aborted")
    assert (await client.delete(f"/api/uploads/{aborted}")).status_code == 204
    late = await open_upload(client, 1, fileName="late")
    async with stores.pool.connection() as conn:
        await conn.execute("UPDATE uploads SET deadline = now() WHERE id = %s", [uuid_of(late)])

    await expire_uploads(stores)
    await take_over_uploads(stores)
    swept = await sweep_bucket(stores, settings.s3_prefix, quiet=timedelta(0))
    chained = await chain_audit(stores, settings.s3_prefix)

    noted = await rows(
        stores.pool,
        sql.SQL(
            "SELECT action, upload_id, subject IS NOT NULL AS of FROM audit"
            " WHERE upload_id IS NOT NULL ORDER BY id"
        ),
    )
    jobs = await rows(stores.pool, sql.SQL("SELECT state FROM jobs"))
    assert as_whom == [{"name": role}]
    assert [(row["action"], row["upload_id"], row["of"]) for row in noted] == [
        ("upload.opened", uuid_of(done), True),
        ("upload.completed", uuid_of(done), True),
        ("upload.downloaded", uuid_of(done), True),
        ("upload.opened", uuid_of(aborted), True),
        ("upload.aborted", uuid_of(aborted), True),
        ("upload.opened", uuid_of(late), True),
        ("upload.expired", uuid_of(late), True),
    ]
    assert (swept, chained, [job["state"] for job in jobs]) == (
        True,
        8,
        ["succeeded"],
    )  # and the key


@pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)
async def test_operators_do_all_that_they_do(
    app: Litestar,
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    make_key: MakeKey,
    stores: Stores,
) -> None:
    """Keys, quotas, retention, holds, statistics, tokens, retried jobs, erasure, refusals."""
    key = await make_key(user="root", roles=(Role.ADMIN,), scopes=(Scope.EVERY_TENANT,))
    upload_id = await send_all(client, s3_http, [b"{}\n"])
    assert (await complete(client, upload_id)).status_code == 200
    there = f"/api/uploads/{upload_id}"
    rules = [{"purpose": "*", "afterDays": 1, "action": "archive"}]
    async with client_of(app, key) as admin:
        made = await admin.post("/api/keys", json={"name": "a key", "roles": ["viewer"]})
        path = f"/api/keys/{made.json()['keyId']}"
        steps = [
            ("POST", f"{path}/rotate", {}),
            ("DELETE", path, None),
            ("PUT", "/api/quotas", {"openUploads": 5}),
            ("PUT", "/api/retention", {"rules": rules}),
            ("PUT", f"{there}/hold", {"case": "A-1"}),
            ("DELETE", f"{there}/hold", None),
            ("GET", "/api/stats", None),
            ("GET", "/api/audit", None),
            ("POST", "/api/erasures", {"userId": "alice"}),
        ]
        answers = [await admin.request(how, where, json=body) for how, where, body in steps]
        refused = await client.get("/api/audit")

    retained = await retain_uploads(stores)
    while await erase(stores, pause=timedelta(0)):
        pass

    noted = await rows(stores.pool, sql.SQL("SELECT action FROM audit ORDER BY id"))
    left = await rows(
        stores.pool,
        sql.SQL("SELECT FROM uploads UNION ALL SELECT FROM pseudonyms WHERE user_id = 'alice'"),
    )
    assert [answer.status_code for answer in answers if answer.is_error] == []
    assert (refused.status_code, retained) == (403, 0)
    assert {
        "key.revoked",
        "quotas.changed",
        "retention.changed",
        "upload.erased",
        "user.erased",
    } <= {row["action"] for row in noted}
    assert left == []


_KEPT: Final = (
    "UPDATE audit SET action = 'x'",
    "DELETE FROM audit",
    "TRUNCATE audit",
    "INSERT INTO audit (at, tenant, actor, action) VALUES (now(), 't', 'a', 'x')",
    "INSERT INTO audit (id, tenant, actor, action) VALUES (DEFAULT, 't', 'a', 'x')",
    "UPDATE audit_chain SET position = 2",
    "DELETE FROM audit_chain",
    "TRUNCATE audit_chain",
    "ALTER TABLE audit DISABLE TRIGGER audit_is_append_only",
    "ALTER TABLE audit DISABLE TRIGGER ALL",
    "DROP TRIGGER audit_is_append_only ON audit",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
    "SET session_replication_role = replica",
    "ALTER TABLE audit OWNER TO current_user",
    "DROP TABLE audit",
    "UPDATE schema_migrations SET sha256 = 'x'",
    "DELETE FROM service_roles",
)


async def test_what_was_noted_cannot_be_changed(owner_url: str, service_url: str) -> None:
    """By whatever an attacker can do who has taken over the service."""
    await _do(owner_url, "INSERT INTO audit (tenant, actor, action) VALUES ('t', 'a', 'noted')")

    done = []
    for statement in _KEPT:
        try:
            await _do(service_url, statement)
            done.append(statement)
        except errors.InsufficientPrivilege as refusal:
            # The trigger would refuse, too: but rights come first.
            if "append-only" in str(refusal):
                done.append(statement)

    assert done == []


async def test_the_owner_too_is_stopped_by_the_triggers(owner_url: str) -> None:
    """A statement typed by mistake; whoever disables them means it."""
    for statement in ("UPDATE audit SET action = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(errors.InsufficientPrivilege, match="audit is append-only"):
            await _do(owner_url, statement)


async def test_a_table_that_comes_later_is_granted_by_the_next_migration(
    owner_url: str, service_url: str
) -> None:
    """The role is remembered: nobody has to name it again."""
    await _do(owner_url, "CREATE TABLE later (id bigserial)")
    with pytest.raises(errors.InsufficientPrivilege):
        await _do(service_url, "INSERT INTO later DEFAULT VALUES")

    assert await migrate(owner_url) == []

    await _do(service_url, "INSERT INTO later DEFAULT VALUES")
    assert await pending(service_url) == []


async def test_rights_that_somebody_added_are_taken_back(
    owner_url: str, service_url: str, role: str
) -> None:
    """Every migration sets them anew."""
    await _do(owner_url, f"GRANT ALL ON audit, audit_chain TO {role}")

    await migrate(owner_url)

    with pytest.raises(errors.InsufficientPrivilege, match="permission denied"):
        await _do(service_url, "DELETE FROM audit WHERE false")


async def test_a_role_is_made_by_many_at_once(servers: Addresses, template: str, role: str) -> None:
    """Databases of one server may be migrated side by side, and they share its roles."""
    owner = servers.database_url
    names = [f"many_{uuid4().hex}" for _ in range(3)]
    urls = [f"{owner.rpartition('/')[0]}/{name}" for name in names]
    for name in names:
        await _do(owner, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        await asyncio.gather(*(migrate(url, service_role=role, password=_PASSWORD) for url in urls))

        for url in urls:
            place = url.rpartition("@")[2]
            await _do(f"postgresql://{role}:{_PASSWORD}@{place}", "SELECT FROM audit")
    finally:
        for name in names:
            await _do(owner, f"DROP DATABASE {name} WITH (FORCE)")
        await _do(owner, f"DROP ROLE IF EXISTS {role}")


async def test_doctor_says_who_could_change_the_audit(owner_url: str, service_url: str) -> None:
    """An installation that runs as the owner works, and its operator should know."""
    found = {
        url: [line for line in await examine_postgres(url) if line.name == "audit-role"]
        for url in (owner_url, service_url)
    }
    await _do(owner_url, "DROP TABLE audit, audit_chain")

    assert [(line.result, line.stops) for line in found[owner_url]] == [(Result.LACKING, False)]
    assert [(line.result, line.stops) for line in found[service_url]] == [(Result.OK, False)]
    assert "audit-role" not in {line.name for line in await examine_postgres(owner_url)}


async def test_an_owner_is_no_service_role(owner_url: str) -> None:
    """No grant would bind it; whoever believes to be protected should know."""
    owner = urlsplit(owner_url).username

    with pytest.raises(OwnerAsServiceRoleError, match="could change the audit"):
        await migrate(owner_url, service_role=owner)
