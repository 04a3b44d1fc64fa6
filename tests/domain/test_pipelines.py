"""Pipelines: a purpose chooses one, metadata tells its jobs more, settings add others."""

import json

import pytest

from coordinator.domain.errors import InvalidFieldError
from coordinator.domain.kinds import Kind
from coordinator.domain.pipelines import (
    PIPELINES,
    PipelineSettingError,
    Planned,
    parse_pipelines,
    plan_jobs,
    plan_or_least,
)


@pytest.mark.parametrize("purpose", sorted(PIPELINES))
def test_a_purpose_chooses_its_pipeline(purpose: str) -> None:
    """Every pipeline can be asked for by name; a job needs only jobs that come before it."""
    planned = plan_jobs({"purpose": purpose, "other": 1})

    assert [each.kind for each in planned] == [step.kind for step in PIPELINES[purpose]]
    for place, each in enumerate(planned):
        assert set(each.needs) <= {before.kind for before in planned[:place]}


def test_without_a_purpose_the_upload_is_archived() -> None:
    """Metadata is optional."""
    assert plan_jobs({}) == (Planned(Kind.GENERATE_METADATA, (), {}),)


@pytest.mark.parametrize("purpose", ["", "Training", "unknown", None, 1, ["training"], {}])
def test_an_unknown_purpose_is_refused_and_the_known_ones_are_named(purpose: object) -> None:
    """Whatever JSON can hold, unhashable values too."""
    with pytest.raises(InvalidFieldError, match="archive, retrieval, training") as refusal:
        plan_jobs({"purpose": purpose})

    assert refusal.value.facts == {"field": "metadata.purpose"}


def test_metadata_tells_jobs_more() -> None:
    """What is as it always is stands nowhere: a job is the same with it and without."""
    planned = plan_jobs(
        {
            "purpose": "training",
            "schema": {"type": "object"},
            "jobs": {
                "scan_pii": {"policy": "redact", "kinds": []},
                "prepare_training_dataset": {"seed": 7, "test": 0.05},
            },
        }
    )

    told = {each.kind: each.parameters for each in planned}
    assert told == {
        Kind.VALIDATE_SCHEMA: {"schema": {"type": "object"}},
        Kind.SCAN_PII: {"policy": "redact"},
        Kind.GENERATE_METADATA: {},
        Kind.PREPARE_TRAINING_DATASET: {"seed": 7},
        Kind.TRIGGER_FINE_TUNING: {},
    }


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"jobs": []}, "metadata.jobs"),
        ({"jobs": {"scan_pii": {}}}, "metadata.jobs.scan_pii"),  # none of an archive's
        ({"purpose": "training", "jobs": {"nothing": {}}}, "metadata.jobs.nothing"),
        ({"purpose": "training", "jobs": {"scan_pii": 1}}, "metadata.jobs.scan_pii"),
        (
            {"purpose": "training", "jobs": {"scan_pii": {"policy": "burn"}}},
            "metadata.jobs.scan_pii.policy",
        ),
        ({"purpose": "training", "jobs": {"scan_pii": {"x": 1}}}, "metadata.jobs.scan_pii"),
        (
            {"purpose": "training", "jobs": {"scan_pii": {"kinds": ["emial"]}}},
            "metadata.jobs.scan_pii.kinds",
        ),
        (
            {"purpose": "training", "jobs": {"scan_pii": {"countries": ["XX"]}}},
            "metadata.jobs.scan_pii.kinds",
        ),
        ({"purpose": "training", "schema": 1}, "metadata.jobs.validate_schema.schema"),
        ({"purpose": "training", "schema": {"type": 1}}, "metadata.jobs.validate_schema.schema"),
        (
            {"purpose": "training", "schema": {"$ref": "http://127.0.0.1:9/x"}},
            "metadata.jobs.validate_schema.schema",
        ),
        (
            {
                "purpose": "training",
                "jobs": {"prepare_training_dataset": {"validation": 0.5, "test": 0.5}},
            },
            "metadata.jobs.prepare_training_dataset",
        ),
    ],
)
def test_what_a_job_cannot_be_told_is_refused_when_the_upload_is_opened(
    metadata: dict[str, object], field: str
) -> None:
    """And not hours later, when the job runs; the field says where."""
    with pytest.raises(InvalidFieldError) as refusal:
        plan_jobs(metadata)

    assert refusal.value.facts["field"] == field


def test_a_schema_is_no_matter_where_no_job_reads_it() -> None:
    """`metadata` is the caller's: an archive may have a `schema` of any kind in it."""
    assert plan_jobs({"schema": 17}) == plan_jobs({})


def test_an_operator_adds_pipelines() -> None:
    """Beside ours; the order stays, and parameters may be set."""
    own = {"audit-copy": [{"kind": "scan_pii", "parameters": {"policy": "block"}}]}

    found = parse_pipelines(json.dumps(own))

    assert plan_jobs({"purpose": "audit-copy"}, found) == (
        Planned(Kind.SCAN_PII, (), {"policy": "block"}),
    )
    assert plan_jobs({"purpose": "training"}, found) == plan_jobs({"purpose": "training"})
    assert parse_pipelines("") == PIPELINES


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "truncated"),
        ("[]", "object"),
        ('{"Bad Name": []}', "pattern|regex"),
        ('{"x": [{"kind": "unknown"}]}', "unknown"),
        ('{"x": [{"kind": "scan_pii", "need": []}]}', "need"),
        ('{"x": [{"kind": "scan_pii", "needs": ["generate_metadata"]}]}', "must come before"),
        ('{"x": [{"kind": "scan_pii"}, {"kind": "scan_pii"}]}', "twice"),
        ('{"x": [{"kind": "scan_pii", "parameters": {"policy": 1}}]}', "x.scan_pii.policy"),
        ('{"archive": []}', "archive stays"),
    ],
)
def test_pipelines_that_cannot_be_used_keep_the_service_from_starting(text: str, says: str) -> None:
    """The message says which and why."""
    with pytest.raises(PipelineSettingError, match=says):
        parse_pipelines(text)


def test_settings_that_changed_keep_no_upload_from_completing() -> None:
    """Its purpose was fine when it was opened: it gets the least."""
    own = parse_pipelines('{"gone": [{"kind": "scan_pii"}]}')

    assert plan_or_least({"purpose": "gone"}, own) == (Planned(Kind.SCAN_PII, (), {}),)
    assert plan_or_least({"purpose": "gone"}) == plan_jobs({})
