"""Events: one id a fact, nothing in them that should not leave, and what a result comes to."""

from typing import Any
from uuid import UUID

import msgspec
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain import events
from coordinator.domain.events import Recorded, Type, summary
from coordinator.domain.jobs import Job, State
from coordinator.domain.kinds import Kind
from tests.domain.builders import an_upload, at


def _job(**changes: Any) -> Job:
    usual = Job(
        id=UUID(int=8),
        upload_id=UUID(int=7),
        kind=Kind.SCAN_PII,
        parameters={},
        needs=(),
        state=State.SUCCEEDED,
        attempt=1,
        result={"status": "done"},
        error_code=None,
        blocks=None,
        cancelled_by=None,
        done=None,
        total=None,
        created_at=at(0),
        started_at=at(1),
        finished_at=at(2),
    )
    return msgspec.structs.replace(usual, **changes)


def test_the_same_fact_has_the_same_id_and_every_other_another() -> None:
    """Receivers tell a repeat by it."""
    upload = an_upload()
    again = [
        events.upload_completed(upload, root="r-1", sha256=None).id,
        events.upload_completed(an_upload(updated_at=at(9)), root="r-1", sha256=None).id,
    ]
    others = [
        again[0],
        events.upload_completed(an_upload(id=UUID(int=1)), root="r-1", sha256=None).id,
        events.upload_failed(upload, reason="aborted").id,
        events.upload_erased(upload).id,
        events.job_ended(upload, _job()).id,
        events.job_ended(upload, _job(state=State.FAILED)).id,
        events.job_ended(upload, _job(state=State.FAILED, attempt=2)).id,
        events.job_ended(upload, _job(state=State.SKIPPED, attempt=0)).id,
        events.job_ended(upload, _job(state=State.SKIPPED, attempt=0, finished_at=at(3))).id,
        events.job_ended(upload, _job(id=UUID(int=9))).id,
    ]

    assert again[0] == again[1]
    assert len(set(others)) == len(others)


def test_what_is_told_of_an_upload() -> None:
    """Where it is, and what it holds; of one that failed there is no object to name."""
    upload = an_upload(metadata={"purpose": "training", "secret": "never"}, multipart_id="s3's own")
    done = msgspec.to_builtins(
        events.upload_completed(upload, root="r-3", sha256=b"\x01" * 32).data
    )
    failed = msgspec.to_builtins(events.upload_failed(upload, reason="expired").data)
    erased = msgspec.to_builtins(events.upload_erased(upload).data)

    both = {
        "uploadId": "upl_00000000000000000000000007",
        "tenant": "default",
        "userId": "alice",
        "fileName": "data.csv",
        "fileType": "text/csv",
        "size": 25,
        "purpose": "training",
    }
    where = "s3://datasets/datasets/default/upl_00000000000000000000000007/data.csv"
    proof = {"object": where, "region": "eu-central-1", "root": "r-3", "sha256": "01" * 32}
    assert done == both | proof
    assert failed == both | {"reason": "expired"}
    assert erased == {"uploadId": "upl_00000000000000000000000007", "tenant": "default"}


def test_what_is_told_of_a_job() -> None:
    """Its result in short: the rest is read over the API."""
    result = {"status": "done", "rows": 3, "counts": {"email": 2}, "samples": ["a@b.example"]}
    event = events.job_ended(an_upload(), _job(result=result))

    assert event.type is Type.JOB_SUCCEEDED
    assert msgspec.to_builtins(event.data)["job"] == {
        "id": "job_00000000000000000000000008",
        "kind": "scan_pii",
        "status": "succeeded",
        "attempt": 1,
        "result": {"status": "done", "rows": 3, "counts": {"email": 2}},
    }


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=30), inner, max_size=40),
)


@given(st.dictionaries(st.text(max_size=30), _values, max_size=40))
def test_a_summary_is_short_and_says_nothing_that_the_result_does_not(
    result: dict[str, Any],
) -> None:
    """Whatever a job finds."""
    short = summary(result)

    assert len(short) <= 32
    for name, value in short.items():
        if isinstance(value, dict):
            assert value
            assert len(value) <= 32
            assert value.items() <= result[name].items()
            assert all(isinstance(each, bool | int | float) for each in value.values())
        else:
            assert value == result[name]
            assert not isinstance(value, list)


def test_an_event_is_written_as_the_library_reads_it_and_the_same_each_time() -> None:
    """CloudEvents 1.0, JSON."""
    row = Recorded(
        id=UUID(int=33),
        type="job.failed",
        source="https://uploads.example/",
        upload_id=UUID(int=7),
        body={"uploadId": "upl_00000000000000000000000007", "size": 2**62},
        created_at=at(0),
    )
    event = JSONFormat().read(None, row.encoded())

    assert row.encoded() == row.encoded()
    assert event.get_attributes() == {
        "specversion": "1.0",
        "id": "evt_00000000000000000000000011",
        "source": "https://uploads.example/",
        "type": "coordinator.job.failed",
        "subject": "upl_00000000000000000000000007",
        "time": at(0),
        "datacontenttype": "application/json",
    }
    assert event.get_data() == row.body
