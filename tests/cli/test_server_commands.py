"""What an operator types: keys, migrations, and settings that are wrong."""

import re

import psycopg
import pytest
from psycopg import sql

from coordinator.adapters.migrations import available
from coordinator.domain.keys import hash_of, id_of
from tests.cli.conftest import Run

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


def rows(environ: dict[str, str], statement: sql.SQL) -> list[tuple[object, ...]]:
    """Ask the test's database."""
    with psycopg.connect(environ["COORDINATOR_DATABASE_URL"]) as conn:
        return conn.execute(statement).fetchall()


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(
    run: Run, environ: dict[str, str]
) -> None:
    """Who reads the database alone cannot use it."""
    created = await run(
        *("keys", "create", "--name", "ci", "--tenant", "t1", "--user", "bob"),
        *("--scope", "act-as", "--days", "30"),
    )
    text = created.output.strip()
    listed = await run("keys", "list")

    assert (created.exit_code, listed.exit_code) == (0, 0)
    key_id = id_of(text)
    assert key_id is not None
    assert rows(
        environ,
        sql.SQL(
            "SELECT id, hash, name, tenant, user_id, scopes, revoked_at,"
            " expires_at - created_at BETWEEN '29 days 23:59' AND '30 days 00:01' FROM api_keys"
        ),
    ) == [
        (
            key_id,
            hash_of(text, secret=environ["COORDINATOR_SECRET"]),
            "ci",
            "t1",
            "bob",
            ["act-as"],
            None,
            True,
        )
    ]
    assert re.fullmatch(
        rf"{key_id}  live  t1/bob  uploader  act-as  used never  ends 20\S+  ci\n", listed.output
    )
    assert text not in listed.output


async def test_a_key_without_options_is_the_default_users_for_ever(run: Run) -> None:
    """Nothing but a name is asked for."""
    key_id = id_of((await run("keys", "create", "--name", "first")).output.strip())

    assert (
        await run("keys", "list")
    ).output == f"{key_id}  live  default/default  uploader  -  used never  ends never  first\n"


async def test_a_revoked_key_stays_in_the_list_and_is_revoked_once(run: Run) -> None:
    """Saying "revoked" twice would hide a mistyped id."""
    key_id = id_of((await run("keys", "create", "--name", "old")).output.strip())
    assert key_id is not None

    first, second = await run("keys", "revoke", key_id), await run("keys", "revoke", key_id)

    assert (first.exit_code, first.output.split(";")[0]) == (0, f"revoked {key_id}\n".strip())
    assert (second.exit_code, second.output) == (1, "Error: there is no live key with this id\n")
    assert (await run("keys", "list")).output.startswith(f"{key_id}  revoked  ")


async def test_a_key_has_the_roles_that_it_was_given(run: Run) -> None:
    """In the table's order and once each; nobody can be made a token."""
    await run(
        "keys", "create", "--name", "a", "--role", "admin", "--role", "viewer", "--role", "admin"
    )
    await run("keys", "create", "--name", "b", "--tenant", "t2")

    first, second = (await run("keys", "list")).output.splitlines()
    refused = await run("keys", "create", "--name", "c", "--role", "upload-token")

    assert "  live  default/default  viewer,admin  -  used never  " in first
    assert (await run("keys", "list", "--tenant", "t2")).output == f"{second}\n"
    assert (refused.exit_code, refused.output[:6]) == (2, "Usage:")


async def test_a_rotated_key_has_an_heir_and_is_rotated_once(run: Run) -> None:
    """The new key is printed once, like every other."""
    old = id_of((await run("keys", "create", "--name", "k", "--days", "9")).output.strip())
    assert old is not None

    rotated = await run("keys", "rotate", old, "--grace-hours", "0")
    again = await run("keys", "rotate", old)
    unknown = await run("keys", "rotate", "ck_unknown")

    new = id_of(rotated.output.strip())
    assert (rotated.exit_code, again.exit_code, unknown.exit_code) == (0, 1, 1)
    assert again.output == f"Error: this key was rotated before, to {new}\n"
    assert unknown.output == "Error: there is no live key with this id\n"
    lines = (await run("keys", "list")).output.splitlines()
    assert [line.split("  ")[:2] for line in lines] == [[old, "expired"], [new, "live"]]


async def test_what_the_command_line_does_with_keys_is_in_the_audit(
    run: Run, environ: dict[str, str]
) -> None:
    """Whoever has the database has all keys; the audit says at least that it was so."""
    old = id_of((await run("keys", "create", "--name", "k")).output.strip())
    assert old is not None
    new = id_of((await run("keys", "rotate", old)).output.strip())
    await run("keys", "revoke", old)

    noted = sql.SQL(
        "SELECT action, actor, facts ->> 'key_id', facts ->> 'replaced_by' FROM audit ORDER BY id"
    )
    assert rows(environ, noted) == [
        ("key.created", "command-line", old, None),
        ("key.rotated", "command-line", old, new),
        ("key.revoked", "command-line", old, None),
    ]


@pytest.mark.parametrize("key_id", ["ck_unknown", "", "ck_aaaaaaaaaaaaa_secret", "' OR 1=1 --"])
async def test_what_is_no_live_key_cannot_be_revoked(run: Run, key_id: str) -> None:
    """Exit code 1, so that a script notices."""
    await run("keys", "create", "--name", "other")

    assert (await run("keys", "revoke", key_id)).exit_code == 1
    assert "  live  " in (await run("keys", "list")).output


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--name", "x", "--tenant", "../other"),
        ("--name", "x", "--tenant", ".."),
        ("--name", "x", "--user", "a b"),
        ("--name", "x", "--user", ""),
        ("--name", "x", "--scope", "root"),
        ("--name", "x", "--days", "0"),
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    """Tenants stand in object keys, users in logs."""
    refused = await run("keys", "create", *arguments)

    assert (refused.exit_code, refused.output[:6]) == (2, "Usage:")
    assert (await run("keys", "list")).output == ""


async def test_migrating_says_what_it_applied_and_then_that_there_is_nothing(
    run: Run, environ: dict[str, str]
) -> None:
    """It may be run at every deployment, also by several at once."""
    with psycopg.connect(environ["COORDINATOR_DATABASE_URL"], autocommit=True) as conn:
        conn.execute("DROP SCHEMA public CASCADE")
        conn.execute("CREATE SCHEMA public")

    first, second = await run("migrate"), await run("migrate")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.output.splitlines() == [f"applied {name}" for name in available()]
    assert second.output == "nothing to apply\n"


@pytest.mark.parametrize("command", ["serve", "work"])
async def test_nothing_starts_on_a_schema_that_is_behind(
    run: Run, environ: dict[str, str], command: str
) -> None:
    """The message says what to run."""
    last = next(iter(available()))
    with psycopg.connect(environ["COORDINATOR_DATABASE_URL"], autocommit=True) as conn:
        conn.execute("DELETE FROM schema_migrations WHERE name = %s", [last])

    refused = await run(command)

    assert (refused.exit_code, refused.output) == (
        1,
        f"Error: the database lacks {last}: run `coordinator migrate` first\n",
    )


@pytest.mark.parametrize(
    "command",
    [
        ("serve",),
        ("work",),
        ("migrate",),
        ("keys", "list"),
        ("keys", "create", "--name", "x"),
        ("keys", "revoke", "ck_x"),
        ("dev",),
        ("list",),
    ],
    ids=" ".join,
)
async def test_a_mistyped_variable_is_wrong_usage_and_the_nearest_is_named(
    run: Run, command: tuple[str, ...]
) -> None:
    """Every command, before it does anything: the operator meant something by it."""
    refused = await run(*command, COORDINATOR_DATABSE_URL="postgresql://elsewhere")

    assert refused.exit_code == 2
    assert "COORDINATOR_DATABSE_URL is not a setting" in refused.output
    assert "Did you mean COORDINATOR_DATABASE_URL?" in refused.output
    assert "elsewhere" not in refused.output


@pytest.mark.parametrize("command", ["serve", "work", "migrate"])
async def test_an_issuer_that_would_be_unsafe_is_wrong_usage(run: Run, command: str) -> None:
    """Its member is named; a secret that stands beside it is not."""
    issuer = '{"issuer": "x", "audience": "x", "algorithms": ["none"], "secret": "not-to-be-seen"}'

    refused = await run(command, COORDINATOR_ISSUERS=f"[{issuer}]")

    assert refused.exit_code == 2
    assert "Error: COORDINATOR_ISSUERS: " in refused.output
    assert "[0].algorithms[0]" in refused.output
    assert "not-to-be-seen" not in refused.output


async def test_a_missing_setting_is_wrong_usage(run: Run, environ: dict[str, str]) -> None:
    """No traceback, no default that would point elsewhere."""
    del environ["COORDINATOR_S3_BUCKET"]

    refused = await run("migrate")

    assert refused.exit_code == 2
    assert "Error: Missing setting COORDINATOR_S3_BUCKET." in refused.output
