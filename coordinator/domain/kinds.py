"""The kinds of AI jobs, by the names that callers read and send."""

from enum import StrEnum


class Kind(StrEnum):
    """What a job does."""

    VALIDATE_SCHEMA = "validate_schema"
    SCAN_PII = "scan_pii"
    GENERATE_METADATA = "generate_metadata"
    PREPARE_TRAINING_DATASET = "prepare_training_dataset"
    GENERATE_EMBEDDINGS = "generate_embeddings"
    INDEX_DATASET = "index_dataset"
    TRIGGER_FINE_TUNING = "trigger_fine_tuning"
