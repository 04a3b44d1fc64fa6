"""What the role of service and worker may do: everything it needs, and nothing to what was noted.

The role owns nothing. It reads and appends to the audit, and can neither change nor remove a row of
it, nor say when it was written, nor take the triggers away that refuse it.
"""

from collections.abc import Mapping
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection, errors, sql

_ALL: Final = "SELECT, INSERT, UPDATE, DELETE"
_FEWER: Final[Mapping[str, LiteralString]] = {
    # Not `id` and `at`: these the database gives.
    "audit": "SELECT, INSERT (tenant, actor, action, subject, upload_id, facts)",
    "audit_chain": "SELECT, INSERT (tenant, position, audit_id, hash)",
    "installation": "SELECT, INSERT",
    "schema_migrations": "SELECT",
    "service_roles": "SELECT",
}
_TRIES: Final = 5

_REMEMBER: Final = "INSERT INTO service_roles (name) VALUES (%s) ON CONFLICT DO NOTHING"
_ROLES: Final = """
SELECT s.name FROM service_roles s JOIN pg_roles r ON r.rolname = s.name ORDER BY s.name
"""
_EXISTS: Final = "SELECT FROM pg_roles WHERE rolname = %s"
# Of what belongs to whoever migrates, for extensions' functions are their own.
_RELATIONS: Final = """
SELECT c.relname, c.relkind = 'S' FROM pg_class c
 WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
   AND pg_has_role(c.relowner, 'USAGE')
 ORDER BY c.relname
"""
_FUNCTIONS: Final = """
SELECT format('GRANT EXECUTE ON ROUTINE %%s TO %%I', p.oid::regprocedure, %s::text)
  FROM pg_proc p
 WHERE p.pronamespace = current_schema()::regnamespace AND p.prokind IN ('f', 'p')
   AND pg_has_role(p.proowner, 'USAGE')
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
 ORDER BY 1
"""
_OWNER: Final = """
SELECT r.rolname = current_user OR r.rolsuper
       OR pg_has_role(
            r.oid, (SELECT relowner FROM pg_class WHERE oid = 'audit'::regclass), 'MEMBER')
  FROM pg_roles r WHERE r.rolname = %s
"""

Connection = AsyncConnection[Any]


class OwnerAsServiceRoleError(Exception):
    """The role that is to be restricted owns the tables, or is a superuser: no grant binds it."""


async def add_role(conn: Connection, name: str, *, password: str | None) -> None:
    """Remember a role, create it where there is none, and set its password if one is given.

    Roles belong to the whole server: others may create the same one at this moment.
    """
    await conn.execute(_REMEMBER, [name])
    exists = (await (await conn.execute(_EXISTS, [name])).fetchone()) is not None
    if not exists:
        try:
            async with conn.transaction():
                create = sql.SQL("CREATE ROLE {} NOLOGIN")
                await conn.execute(create.format(sql.Identifier(name)))
        except (errors.DuplicateObject, errors.UniqueViolation):
            pass
    if password is not None:
        await _set_password(conn, name, password)


async def _set_password(conn: Connection, name: str, password: str) -> None:
    """Let the role log in. What is sent is the verifier: no log of the server has the password."""
    verifier = conn.pgconn.encrypt_password(
        password.encode(), name.encode(), b"scram-sha-256"
    ).decode()
    alter = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
        sql.Identifier(name), sql.Literal(verifier)
    )
    for attempt in range(1, _TRIES + 1):
        try:
            async with conn.transaction():
                await conn.execute(alter)
        except errors.InternalError_:
            # "tuple concurrently updated": another database's migration sets the same.
            if attempt == _TRIES:
                raise
        else:
            return


async def grant(conn: Connection) -> list[str]:
    """Grant every remembered role what it needs of the schema as it is now; return their names.

    Raises:
        OwnerAsServiceRoleError: a role can do everything whatever is granted.

    """
    names = [row[0] for row in await (await conn.execute(_ROLES)).fetchall()]
    for name in names:
        row = await (await conn.execute(_OWNER, [name])).fetchone()
        if row is None or row[0]:
            raise OwnerAsServiceRoleError(
                f"{name} owns the tables or is a superuser: it could change the audit all the same"
            )
        await _grant(conn, name)
    return names


async def _grant(conn: Connection, name: str) -> None:
    role = sql.Identifier(name)
    where = await (await conn.execute("SELECT current_schema(), current_database()")).fetchone()
    assert where is not None
    for word, place in zip(("USAGE ON SCHEMA", "CONNECT ON DATABASE"), where, strict=True):
        await conn.execute(_allow(word, sql.Identifier(place), role))
    for relation, is_sequence in await (await conn.execute(_RELATIONS)).fetchall():
        rights = "USAGE, SELECT" if is_sequence else _FEWER.get(relation, _ALL)
        kind: LiteralString = "SEQUENCE" if is_sequence else "TABLE"
        place = sql.Identifier(relation)
        revoke = sql.SQL("REVOKE ALL ON {} {} FROM {}")
        await conn.execute(revoke.format(sql.SQL(kind), place, role))
        await conn.execute(_allow(f"{rights} ON {kind}", place, role))
    for (statement,) in await (await conn.execute(_FUNCTIONS, [name])).fetchall():
        await conn.execute(statement.encode())


def _allow(what: LiteralString, place: sql.Identifier, role: sql.Identifier) -> sql.Composed:
    return sql.SQL("GRANT {} {} TO {}").format(sql.SQL(what), place, role)
