"""`coordinator audit verify` names what was changed, removed, cut off or forged."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from coordinator.adapters import audit, audit_chain
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores, open_stores
from coordinator.cli import main
from coordinator.domain import audit_heads, audit_lines
from coordinator.domain.audit_chain import FIRST
from coordinator.operations.chain_audit import chain_audit, read_head
from coordinator.settings import Settings
from tests.cli.conftest import Run

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_ROWS: Final = 6


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Stores]:
    """Stores in which six rows were noted of tenant t and one of tenant u, chained and exported."""
    async with open_stores(settings) as opened:
        async with transaction(opened.pool) as tx:
            for number in range(_ROWS):
                await audit.append(tx, "key.created", tenant="t", actor="ck_1", number=number)
            await audit.append(tx, "key.created", tenant="u", actor="ck_1")
        await chain_audit(opened, settings.s3_prefix)
        yield opened


def _as_owner(environ: dict[str, str], *statements: str) -> None:
    """Do what the owner of the tables can who wants to: disable the triggers first."""
    with psycopg.connect(environ["COORDINATOR_DATABASE_URL"], autocommit=True) as conn:
        conn.execute("ALTER TABLE audit DISABLE TRIGGER audit_is_append_only")
        conn.execute("ALTER TABLE audit_chain DISABLE TRIGGER audit_chain_is_append_only")
        for statement in statements:
            conn.execute(statement.encode())
        conn.execute("ALTER TABLE audit ENABLE TRIGGER audit_is_append_only")
        conn.execute("ALTER TABLE audit_chain ENABLE TRIGGER audit_chain_is_append_only")


@pytest.mark.usefixtures("stores")
async def test_what_nobody_touched_is_as_it_was_noted(run: Run) -> None:
    """Of every tenant, or of the one that was asked for."""
    every, one = await run("audit", "verify"), await run("audit", "verify", "--tenant", "u")

    told = "u: 1 row(s) chained, all as they were noted\n"
    assert (every.exit_code, every.output) == (
        0,
        f"t: 6 row(s) chained, all as they were noted\n{told}",
    )
    assert (one.exit_code, one.output) == (0, told)


@pytest.mark.usefixtures("stores")
async def test_a_changed_row_and_a_deleted_row_are_both_named(
    run: Run, environ: dict[str, str]
) -> None:
    """By SQL, past the triggers: what issue 4 must show."""
    _as_owner(
        environ,
        "UPDATE audit SET action = 'key.revoked' WHERE id = 2",
        "DELETE FROM audit WHERE id = 5",
    )

    verified = await run("audit", "verify")

    assert verified.exit_code == 1
    assert verified.stdout.splitlines() == [
        "t: row 2 at position 2 was changed",
        "t: row 5 at position 5 was removed",
        "t: 6 row(s) chained, 2 finding(s)",
        "u: 1 row(s) chained, all as they were noted",
    ]
    assert verified.stderr.splitlines()[-1] == "2 finding(s): the audit is not what was noted"


@pytest.mark.usefixtures("stores")
async def test_a_tail_that_was_cut_off_is_named_by_the_bucket(
    run: Run, environ: dict[str, str]
) -> None:
    """What is left in the database is a good chain."""
    _as_owner(
        environ,
        "DELETE FROM audit WHERE tenant = 't' AND id > 4",
        "DELETE FROM audit_chain WHERE tenant = 't' AND position > 4",
        "UPDATE audit_heads SET position = 4, exported = 4 WHERE tenant = 't'",
    )

    verified = await run("audit", "verify", "--tenant", "t")

    assert verified.exit_code == 1
    assert verified.stdout.splitlines() == [
        "t: the tail after position 4 is missing: 2 row(s), up to 6, were exported",
        "t: 4 row(s) chained, 1 finding(s)",
    ]


async def test_a_tail_that_was_hashed_anew_is_named_by_the_bucket(
    run: Run, environ: dict[str, str], stores: Stores, settings: Settings
) -> None:
    """The forger has our code and lets it chain what was changed."""
    _as_owner(
        environ,
        "UPDATE audit SET actor = 'ck_2' WHERE id = 3",
        "DELETE FROM audit_chain WHERE tenant = 't' AND position > 2",
    )
    assert await chain_audit(stores, settings.s3_prefix, back=_ROWS) == _ROWS - 2

    verified = await run("audit", "verify", "--tenant", "t")

    assert verified.exit_code == 1
    assert verified.stdout.splitlines() == [
        "t: the chain up to position 6 is not the one whose head was exported: it was hashed anew",
        "t: 6 row(s) chained, 1 finding(s)",
    ]


async def _export(stores: Stores, settings: Settings, folder: Path) -> tuple[Path, Path]:
    """Write tenant t's export and its head, as an auditor would be given them."""
    async with stores.pool.connection() as conn:
        links = await audit_chain.read_links(conn, "t", after=0, limit=100)
    head = await read_head(stores, settings.s3_prefix, "t")
    assert head is not None
    export, kept = folder / "export.jsonl", folder / "head.json"
    before = [FIRST, *(link.hash for link in links)]
    lines = [
        audit_lines.encode("t", link, previous=previous)
        for link, previous in zip(links, before, strict=False)
    ]
    export.write_bytes(b"".join(lines))
    kept.write_bytes(audit_heads.encode(head))
    return export, kept


async def test_an_export_is_verified_without_the_database(
    run: Run, stores: Stores, settings: Settings, tmp_path: Path
) -> None:
    """On an auditor's machine: no settings, no servers."""
    export, head = await _export(stores, settings, tmp_path)
    lines = export.read_bytes().splitlines(keepends=True)
    alone = partial(CliRunner().invoke, main, env={})

    good = alone(("audit", "verify", "--file", str(export), "--head", str(head)))
    export.write_bytes(b"".join(lines[:4]))
    cut = await run("audit", "verify", "--file", str(export), "--head", str(head))
    lines[1] = lines[1].replace(b"key.created", b"key.revoked")
    export.write_bytes(b"".join([*lines, b"nonsense\n"]))
    changed = await run("audit", "verify", "--file", str(export))

    assert (good.exit_code, good.output) == (0, "t: 6 row(s) chained, all as they were noted\n")
    assert (cut.exit_code, cut.stdout.splitlines()[0]) == (
        1,
        "t: the tail after position 4 is missing: 2 row(s), up to 6, were exported",
    )
    assert changed.exit_code == 1
    assert changed.stdout.splitlines()[:2] == [
        "t: row 2 at position 2 was changed",
        "?: line 7 cannot be read: Expecting value: line 1 column 1 (char 0)",
    ]


async def test_what_cannot_be_found_out_is_no_success(run: Run) -> None:
    """A verifier that is content without having looked would be worse than none."""
    away = await run("audit", "verify", COORDINATOR_DATABASE_URL="postgresql://u:p@127.0.0.1:1/d")

    assert away.exit_code == 1
    assert "could not be found out: Postgres or S3 does not answer" in away.output
    assert "u:p" not in away.output


async def test_files_that_prove_nothing_are_refused(run: Run, tmp_path: Path) -> None:
    """A head goes with an export: the database's are in the bucket."""
    head = tmp_path / "head.json"
    head.write_bytes(b"{}")

    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(b"")

    refused = await run("audit", "verify", "--head", str(head))
    nothing = await run("audit", "verify", "--file", str(empty))
    nonsense = await run("audit", "verify", "--file", str(head), "--head", str(head))

    assert (refused.exit_code, nonsense.exit_code, nothing.exit_code) == (2, 1, 1)
    assert "nothing was proven" in nothing.output
    assert "is no exported head" in nonsense.output


async def test_migrating_makes_the_role_and_the_role_cannot_migrate(
    run: Run, environ: dict[str, str], tmp_path: Path
) -> None:
    """The operator gives services its address; whoever migrates owns the tables."""
    role, password = f"service_{uuid4().hex}", tmp_path / "password"
    password.write_text("a password of the tests\n")
    url = environ["COORDINATOR_DATABASE_URL"]
    as_role = f"postgresql://{role}:a%20password%20of%20the%20tests@{url.rpartition('@')[2]}"
    try:
        made = await run(
            *("migrate", "--service-role", role, "--service-role-password-file", str(password))
        )
        key = await run("keys", "create", "--name", "x", COORDINATOR_DATABASE_URL=as_role)
        listed = await run("keys", "list", COORDINATOR_DATABASE_URL=as_role)
        verified = await run("audit", "verify", COORDINATOR_DATABASE_URL=as_role)
        nothing = await run("migrate", COORDINATOR_DATABASE_URL=as_role)
        with psycopg.connect(url) as conn:
            conn.execute("DELETE FROM schema_migrations WHERE name LIKE '0005%'")
        refused = await run("migrate", COORDINATOR_DATABASE_URL=as_role)
    finally:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
            conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))

    assert (made.exit_code, made.output) == (
        0,
        f"nothing to apply\ngranted {role} what service and worker need\n",
    )
    assert [each.exit_code for each in (key, listed, verified)] == [0, 0, 0]
    assert (nothing.exit_code, nothing.output) == (0, "nothing to apply\n")
    assert refused.exit_code == 1
    assert "migrate with the role that owns the tables" in refused.output


@pytest.mark.parametrize(
    "arguments",
    [("--service-role", ""), ("--service-role", "x" * 64), ("--service-role-password-file",)],
)
async def test_a_role_that_makes_no_sense_is_wrong_usage(
    run: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Postgres would cut a long name, and grant to another role than was named."""
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    more = [str(empty)] if len(arguments) == 1 else []

    assert (await run("migrate", *arguments, *more)).exit_code == 2
    named = ("--service-role", "some_role", "--service-role-password-file", str(empty))
    assert (await run("migrate", *named)).exit_code == 2
