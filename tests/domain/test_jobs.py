"""The job catalogue: ids that exist once, sums of states, estimates in words."""

from collections import Counter
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.errors import InvalidFieldError
from coordinator.domain.jobs import (
    PIPELINES,
    Kind,
    PipelineStatus,
    State,
    estimate,
    job_id,
    pipeline_of,
    status_of,
)
from tests.domain.builders import patient

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


@pytest.mark.parametrize("purpose", sorted(PIPELINES))
def test_a_purpose_chooses_its_pipeline(purpose: str) -> None:
    """Every pipeline can be asked for by name and has something to do."""
    assert pipeline_of({"purpose": purpose, "other": 1}) == PIPELINES[purpose]
    assert PIPELINES[purpose]


def test_without_a_purpose_the_upload_is_archived() -> None:
    """Metadata is optional."""
    assert pipeline_of({}) == PIPELINES["archive"]


@pytest.mark.parametrize("purpose", ["", "Training", "unknown", None, 1, ["training"], {}])
def test_an_unknown_purpose_is_refused_and_the_known_ones_are_named(purpose: object) -> None:
    """Whatever JSON can hold, unhashable values too."""
    with pytest.raises(InvalidFieldError, match="archive, retrieval, training") as refusal:
        pipeline_of({"purpose": purpose})

    assert refusal.value.facts == {"field": "metadata.purpose"}


@pytest.mark.parametrize("states", [pair for n in range(4) for pair in product(State, repeat=n)])
def test_a_pipeline_is_what_its_jobs_come_to(states: tuple[State, ...]) -> None:
    """One failed job fails it, all must succeed, and it runs as soon as anything has begun."""
    if not states:
        expected = PipelineStatus.NONE
    elif any(state is State.FAILED for state in states):
        expected = PipelineStatus.FAILED
    elif all(state is State.SUCCEEDED for state in states):
        expected = PipelineStatus.SUCCEEDED
    elif all(state is State.QUEUED for state in states):
        expected = PipelineStatus.INITIATED
    else:
        expected = PipelineStatus.RUNNING

    assert status_of(iter(states)) is expected


@pytest.mark.parametrize(
    ("size", "rate", "words"),
    [
        (1, None, None),
        (1, 0.0, None),
        (0, 1.0, "about 1 second"),
        (1, 1.0, "about 1 second"),
        (2, 1.0, "about 2 seconds"),
        (119, 1.0, "about 119 seconds"),
        (120, 1.0, "about 2 minutes"),
        (48 * 2**40, 8e6, "about 109951 minutes"),
    ],
)
def test_an_estimate_is_said_in_words(size: int, rate: float | None, words: str | None) -> None:
    """Nothing is said before something was measured."""
    assert estimate(size, rate) == words
