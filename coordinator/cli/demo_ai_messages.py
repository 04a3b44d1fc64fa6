"""What the receiver must have heard, for ``coordinator demo-ai``: events, and the one hand-over."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from coordinator.cli.demo_ai_receiver import EVENTS, TRAINER, Receiver
from coordinator.cli.demo_ai_report import Check
from coordinator.cli.demo_ai_uploads import JOBS, TRAINING

_PAUSE_SECONDS: Final = 0.5

Artifacts = Mapping[tuple[str, str], dict[str, Any]]


def expected_events(upload_ids: Mapping[str, str]) -> Counter[tuple[str, str, str | None]]:
    """Say what there is to tell, once each: type, upload, kind of job."""
    told: Counter[tuple[str, str, str | None]] = Counter()
    for purpose, upload_id in upload_ids.items():
        told["coordinator.upload.completed", upload_id, None] += 1
        for kind in JOBS[purpose]:
            told["coordinator.job.succeeded", upload_id, kind] += 1
    return told


def wait_for_events(receiver: Receiver, count: int, *, seconds: float) -> None:
    """Wait until so many were taken, and each answer that got lost was made good."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if len(receiver.taken(EVENTS)) >= count and not receiver.unanswered(EVENTS):
            return
        time.sleep(_PAUSE_SECONDS)


def of_events(receiver: Receiver, upload_ids: Mapping[str, str]) -> list[Check]:
    """Each event was taken once, by its id, however often it came."""
    expected = expected_events(upload_ids)
    found = Counter(
        (each["type"], each["subject"], each["data"].get("job", {}).get("kind"))
        for each in receiver.taken(EVENTS).values()
    )
    return [
        Check("events: each fact was taken once", expected, found),
        Check("events: repeats, as answers got lost", True, receiver.repeats(EVENTS) > 0),  # noqa: FBT003
        Check("webhooks: requests without a good signature", 0, receiver.unsigned),
        Check("webhooks: repeats with another body", 0, receiver.changed_bodies),
    ]


def of_handover(
    receiver: Receiver, upload_id: str, prepared: dict[str, Any], artifacts: Artifacts
) -> list[Check]:
    """The trainer was told once in effect, and of exactly what was prepared."""
    taken = receiver.taken(TRAINER)
    data = [each["data"] for each in taken.values() if each["data"]["uploadId"] == upload_id]
    told = {
        (name, shard["address"].rpartition("/")[2], shard["sha256"], shard["size"])
        for each in data
        for name, split in each["splits"].items()
        for shard in split["shards"]
    }
    made = {
        (path.partition("-")[0], path, each["sha256"], each["size"])
        for (kind, path), each in artifacts.items()
        if kind == "prepare_training_dataset" and path.endswith(".parquet")
    }
    rows = {name: each["rows"] for name, each in prepared["splits"].items()}
    told_rows = [{name: each["rows"] for name, each in one["splits"].items()} for one in data]
    return [
        Check(f"{TRAINING}: the signed webhook was taken once", 1, len(taken)),
        Check(f"{TRAINING}: it came again, as the answer got lost", 1, receiver.repeats(TRAINER)),
        Check(f"{TRAINING}: it names the parquet files, with sha256", made, told),
        Check(f"{TRAINING}: and their rows", [rows], told_rows),
    ]
