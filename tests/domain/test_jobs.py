"""The job catalogue: ids that exist once, sums of states, estimates in words."""

from collections import Counter
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.jobs import PipelineStatus, State, due, estimate, job_id, revived, status_of
from coordinator.domain.kinds import Kind
from tests.domain.builders import a_job, patient

UPLOAD = UUID("01890000-0000-7000-8000-000000000001")


def test_an_id_never_changes() -> None:
    """Ids made by an older release stand in databases: this one is written down."""
    assert job_id(UPLOAD, Kind.GENERATE_METADATA, {}) == UUID(
        "15b3fca7-002c-5b4e-5936-03e7456e0c8e"
    )


@patient
@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=5))
def test_the_order_of_parameters_makes_no_other_job(parameters: dict[str, int | str]) -> None:
    """The same parameters are the same job, however a client happened to write them."""
    turned = dict(reversed(parameters.items()))

    assert job_id(UPLOAD, Kind.GENERATE_METADATA, parameters) == job_id(
        UPLOAD, Kind.GENERATE_METADATA, turned
    )


@patient
@given(st.lists(st.tuples(st.uuids(), st.integers(0, 3)), unique=True, max_size=20))
def test_other_uploads_and_parameters_are_other_jobs(made_of: list[tuple[UUID, int]]) -> None:
    """No two jobs share an id."""
    counted = Counter(
        job_id(upload, Kind.GENERATE_METADATA, {"part": part}) for upload, part in made_of
    )

    assert set(counted.values()) <= {1}
    assert len(counted) == len(made_of)


def test_a_pipeline_is_what_its_jobs_come_to() -> None:
    """One failed job fails it, it runs as soon as anything has begun, skipped ones fail nothing."""
    for states in (pair for n in range(1, 4) for pair in product(State, repeat=n)):
        seen = set(states)
        if State.FAILED in seen:
            expected = PipelineStatus.FAILED
        elif seen <= {State.SUCCEEDED, State.SKIPPED}:
            expected = PipelineStatus.SUCCEEDED
        elif seen <= {State.SUCCEEDED, State.SKIPPED, State.CANCELLED}:
            expected = PipelineStatus.CANCELLED
        elif seen <= {State.QUEUED, State.WAITING}:
            expected = PipelineStatus.INITIATED
        else:
            expected = PipelineStatus.RUNNING

        assert status_of(iter(states)) is expected, states

    assert status_of([]) is PipelineStatus.NONE


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, None),
        (0.0, "about 1 second"),
        (2.4, "about 2 seconds"),
        (119.0, "about 119 seconds"),
        (120.0, "about 2 minutes"),
        (6_597_060.0, "about 109951 minutes"),
    ],
)
def test_an_estimate_is_said_in_words(seconds: float | None, words: str | None) -> None:
    """Nothing is said before something was measured."""
    assert estimate(seconds) == words


def _ids(count: int) -> list[UUID]:
    return [UUID(int=number + 1) for number in range(count)]


def test_a_job_runs_once_all_that_it_needs_have_succeeded() -> None:
    """And not before."""
    first, second, third = _ids(3)
    jobs = [
        a_job(first, State.SUCCEEDED),
        a_job(second, State.RUNNING),
        a_job(third, State.WAITING, needs=(first, second)),
    ]

    assert due(jobs) == ([], [])
    jobs[1] = a_job(second, State.SUCCEEDED)
    assert due(jobs) == ([third], [])


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ({"state": State.FAILED, "error_code": "OSError"}, "predecessor-failed"),
        ({"state": State.CANCELLED}, "predecessor-cancelled"),
        ({"state": State.SKIPPED, "error_code": "pii-found"}, "pii-found"),
        ({"state": State.SUCCEEDED, "blocks": "pii-found"}, "pii-found"),
    ],
)
def test_what_cannot_run_is_skipped_down_the_whole_chain(end: dict[str, Any], reason: str) -> None:
    """With the reason that began it; whatever needs none of these goes on."""
    first, second, third, other, last = _ids(5)
    jobs = [
        a_job(first, **end),
        a_job(second, State.WAITING, needs=(first, other)),
        a_job(third, State.WAITING, needs=(second,)),
        a_job(other, State.SUCCEEDED),
        a_job(last, State.WAITING, needs=(other,)),
    ]

    assert due(jobs) == ([last], [(second, reason), (third, reason)])


def test_skipped_jobs_wait_again_for_one_that_runs_again() -> None:
    """All down the chain, but for what another job has stopped for good."""
    first, second, third, blocked, foreign = _ids(5)
    failed = {"error_code": "predecessor-failed"}
    jobs = [
        a_job(first, State.QUEUED),
        a_job(second, State.SKIPPED, needs=(first,), **failed),
        a_job(third, State.SKIPPED, needs=(second,), **failed),
        a_job(blocked, State.SKIPPED, needs=(first,), error_code="pii-found"),
        a_job(foreign, State.SKIPPED, needs=(blocked,), **failed),
    ]

    assert revived(jobs, first) == [second, third]


@patient
@given(st.data())
def test_no_job_waits_for_what_is_over(data: st.DataObject) -> None:
    """Whatever has ended how: once all is told, whoever waits waits for one that may still end."""
    ids = _ids(data.draw(st.integers(1, 7)))
    jobs = []
    for place, each in enumerate(ids):
        needs = tuple(data.draw(st.sets(st.sampled_from(ids[:place])))) if place else ()
        state = data.draw(st.sampled_from(State)) if not needs else State.WAITING
        jobs.append(a_job(each, state, needs=needs, error_code="pii-found"))

    queued, skipped = due(jobs)

    after = {job.id: job.state for job in jobs}
    after |= dict.fromkeys(queued, State.QUEUED) | {each: State.SKIPPED for each, _ in skipped}
    for job in jobs:
        if after[job.id] is State.WAITING and job.needs:
            open_needs = {after[each] for each in job.needs} - {State.SUCCEEDED}
            assert open_needs
            assert open_needs <= {State.WAITING, State.QUEUED, State.RUNNING}
