"""``coordinator demo``, the first thing that a newcomer runs: with servers of its own."""

import os
import subprocess
import sys
from pathlib import Path

_PATIENCE_S = 300


def test_the_demo_shows_every_proof_and_job(tmp_path: Path) -> None:
    """Down to the last job; what it started has ended, and its folder is gone."""
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(f'{{"id": {n}, "text": "row {n}"}}\n' for n in range(1_000)))
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COORDINATOR_", "AWS_"))
    }

    done = subprocess.run(
        [sys.executable, "-m", "coordinator", "demo", str(file)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    jobs = [line.partition(":")[0] for line in lines if line.startswith("job ")]
    assert jobs == [
        "job validate_schema",
        "job scan_pii",
        "job generate_metadata",
        "job prepare_training_dataset",
        "job trigger_fine_tuning",
    ]
    assert "  1000 rows, 2 columns" in lines
    assert any("BadDigest" in line for line in lines)
    assert lines[-1] == "Everything that was started has ended."
