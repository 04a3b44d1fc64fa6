"""What ``coordinator demo-ai`` uploads, and what it asks to be done with it."""

from pathlib import Path
from typing import Any, Final

import msgspec

from coordinator.cli import demo_ai_data, demo_ai_texts
from coordinator.cli.demo_ai_data import SCHEMA, Truth
from coordinator.cli.demo_ai_texts import Texts

TRAINING: Final = "training"
RETRIEVAL: Final = "retrieval"

# The settings without which the pipelines could not do all that they can.
SETTINGS: Final = {"COORDINATOR_EMBEDDINGS": '{"kind": "local", "model": "wordllama"}'}

PREPARE: Final[dict[str, Any]] = {"seed": 7, "validation": 0.1, "test": 0.1, "shardMib": 16}

METADATA: Final[dict[str, dict[str, Any]]] = {
    TRAINING: {
        "schema": SCHEMA,
        "jobs": {
            "scan_pii": {"policy": "redact"},
            "generate_metadata": {"description": "Made up by a demo.", "license": "CC0-1.0"},
            "prepare_training_dataset": PREPARE,
            "trigger_fine_tuning": {"model": "tiny", "hyperparameters": {"epochs": 2}},
        },
    },
    RETRIEVAL: {
        "jobs": {"scan_pii": {"policy": "redact"}, "generate_embeddings": {"column": "text"}},
    },
}

JOBS: Final[dict[str, tuple[str, ...]]] = {
    TRAINING: (
        *("validate_schema", "scan_pii", "generate_metadata"),
        *("prepare_training_dataset", "trigger_fine_tuning"),
    ),
    RETRIEVAL: (
        *("validate_schema", "scan_pii", "generate_metadata"),
        *("generate_embeddings", "index_dataset"),
    ),
}


class Files(msgspec.Struct, frozen=True):
    """Both files, and the truth about them."""

    training: Path
    truth: Truth
    retrieval: Path
    texts: Texts

    def paths(self) -> dict[str, Path]:
        """Return the files by their purposes."""
        return {TRAINING: self.training, RETRIEVAL: self.retrieval}


def generate(folder: Path, *, rows: int, texts: int, seed: int) -> Files:
    """Write both files."""
    training, retrieval = folder / "tickets.jsonl", folder / "notes.jsonl"
    truth = demo_ai_data.write(training, rows=rows, seed=seed)
    return Files(
        training, truth, retrieval, demo_ai_texts.write(retrieval, rows=texts, seed=seed + 1)
    )
