"""`coordinator audit export`, as an operator types it, against a real service and worker."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from click.testing import Result

from coordinator.domain.access import Role
from tests.sdk.installation import Installation, key_in, runner

Run = Callable[..., Result]
_PATIENCE_S: Final = 40.0


@pytest.fixture
def run(installation: Installation) -> Run:
    """Return a function that runs a command with an admin's key of a tenant without uploads."""
    key = key_in(installation, tenant="audited", user="ada", roles=(Role.ADMIN,))
    return runner(installation, key, "audit")


def test_the_worker_chains_what_is_exported_and_the_file_is_proven(
    run: Run, tmp_path: Path
) -> None:
    """By the same command, elsewhere; a row that was changed in the file is named."""
    file = tmp_path / "audit.jsonl"
    deadline = time.monotonic() + _PATIENCE_S
    chained: list[int] = []
    while not chained:
        assert time.monotonic() < deadline, "no worker has chained the key's row"
        exported = run("export", "--output", str(file))
        assert (exported.exit_code, exported.output) == (0, "")
        lines = [json.loads(line) for line in file.read_bytes().splitlines()]
        chained = [line["position"] for line in lines if "position" in line]
        time.sleep(0.5)

    proven = run("verify", "--file", str(file))
    file.write_bytes(file.read_bytes().replace(b"key.created", b"key.revoked", 1))
    changed = run("verify", "--file", str(file))

    assert lines[0]["action"] == "key.created"
    assert chained == [*range(1, len(chained) + 1)]
    assert proven.exit_code == 0
    assert proven.stdout.startswith(f"audited: {len(chained)} row(s) chained, all as they were")
    assert changed.exit_code == 1
    assert changed.stdout.startswith(f"audited: row {lines[0]['id']} at position 1 was changed\n")


def test_an_export_begins_where_it_is_told_and_goes_to_stdout(run: Run) -> None:
    """For a pipe."""
    everything = run("export", "--since", "2020-01-01")
    nothing = run("export", "--since", "2999-01-01T00:00:00")

    assert (everything.exit_code, nothing.exit_code) == (0, 0)
    assert len(everything.stdout.splitlines()) >= 1
    assert '"position"' not in nothing.stdout


def test_another_tenants_audit_is_refused(run: Run, tmp_path: Path) -> None:
    """With the exit code for that, and no empty file that somebody would take for proven."""
    file = tmp_path / "audit.jsonl"

    refused = run("export", "--tenant", "default", "--output", str(file))

    assert refused.exit_code == 4
    assert "every-tenant" in refused.stderr
    assert not file.exists()
