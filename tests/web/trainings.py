"""Trainings that were handed to a trainer, for tests of what comes back."""

from typing import Any

from coordinator.adapters import jobs
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.jobs import Job, job_id
from coordinator.domain.kinds import Kind
from coordinator.operations.end_job import succeed_job
from tests.builders import uuid_of


async def training(stores: Stores, upload_id: str) -> Job:
    """Start a job that hands its data set over just now."""
    upload = uuid_of(upload_id)
    number = job_id(upload, Kind.TRIGGER_FINE_TUNING, {})
    async with transaction(stores.pool) as tx:
        await jobs.add(tx, number, upload, Kind.TRIGGER_FINE_TUNING, parameters={}, position=9)
        started = await jobs.start(tx, number)
    assert started is not None
    return started


async def hand_over(stores: Stores, job: Job, **result: Any) -> None:
    """End the job; the training goes on."""
    usual = {
        "status": "submitted",
        "trainer": "hook",
        "followedBy": "callback",
        "externalId": None,
        "externalStatus": "submitted",
        "externalModel": None,
        "externalDetail": None,
    }
    await succeed_job(stores, job, {**usual, **result})


def public(job: Job) -> str:
    """Return the id that trainers know."""
    return ids.encode(ids.JOB, job.id)
