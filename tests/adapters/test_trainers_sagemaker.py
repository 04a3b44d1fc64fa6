"""SageMaker: one training job a job of ours, as moto plays it and as AWS refuses."""

from collections.abc import Iterator
from typing import Any, Final

import boto3
import pytest

from coordinator.adapters.trainers import open_trainer
from coordinator.adapters.trainers.asking import TrainerAwayError, TrainerRefusedError
from coordinator.domain.trainers import SageMakerTrainer
from coordinator.domain.trainings import Standing, TrainingStatus
from tests.moto_server import running_moto
from tests.training_servers import JOB, UPLOAD, Lines, a_handoff, sagemaker_server

_REGION: Final = "eu-central-1"
_NAME: Final = "coordinator-job-06agx5c9nerf9b0x5h0g2k7w3m"
_MODEL: Final = f"s3://models/out/{_NAME}/output/model.tar.gz"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where moto listens."""
    with running_moto(tmp_path_factory.mktemp("moto")) as address:
        yield address.s3_endpoint


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def _trainer(endpoint: str) -> SageMakerTrainer:
    return SageMakerTrainer(
        name="aws",
        region=_REGION,
        endpoint=endpoint,
        role_arn="arn:aws:iam::123456789012:role/train",
        image="123456789012.dkr.ecr.eu-central-1.amazonaws.com/train:1",
        instance_type="ml.g5.xlarge",
        output_path="s3://models/out",
        kms_key="a-key",
    )


def test_a_training_job_is_created_once(endpoint: str) -> None:
    """With a channel a split, each a list of files; a second try finds the first one's."""
    handoff = a_handoff(model="m", hyperparameters={"epochs": 3, "lr": 0.1, "name": "x"})
    first, again = Lines({}), Lines({})
    with open_trainer(_trainer(endpoint)) as client:
        standing = client.submit(handoff, first)
        repeated = client.submit(handoff, again)

    assert standing.external_id == _NAME
    assert repeated == standing
    assert (first.made, again.made) == (["train", "validation"], [])
    sagemaker = boto3.client("sagemaker", endpoint_url=endpoint, region_name=_REGION)
    found: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=_NAME)
    tags = sagemaker.list_tags(ResourceArn=found["TrainingJobArn"])["Tags"]
    sagemaker.close()
    assert found["HyperParameters"] == {"model": "m", "epochs": "3", "lr": "0.1", "name": "x"}
    assert found["InputDataConfig"] == [
        {
            "ChannelName": split,
            "ContentType": "application/vnd.apache.parquet",
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "ManifestFile",
                    "S3Uri": f"s3://b/k/{split}.files.json",
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
        }
        for split in ("train", "validation")
    ]
    assert found["OutputDataConfig"] == {"S3OutputPath": "s3://models/out", "KmsKeyId": "a-key"}
    assert found["ResourceConfig"] == {
        "InstanceType": "ml.g5.xlarge",
        "InstanceCount": 1,
        "VolumeSizeInGB": 50,
    }
    assert found["RoleArn"] == "arn:aws:iam::123456789012:role/train"
    assert {each["Key"]: each["Value"] for each in tags} == {
        "coordinator-job": JOB,
        "coordinator-upload": UPLOAD,
    }


def test_it_can_be_asked_where_a_training_stands(endpoint: str) -> None:
    """Moto completes everything at once."""
    with open_trainer(_trainer(endpoint)) as client:
        client.submit(a_handoff(), Lines({}))
        found = client.look(_NAME)
        gone = client.look("coordinator-job-of-nobody")

    assert found == Standing(external_id=_NAME, status=TrainingStatus.SUCCEEDED, model=_MODEL)
    assert gone == Standing(external_id="coordinator-job-of-nobody", status=TrainingStatus.UNKNOWN)


_ABSENT: Final = (400, {"__type": "ValidationException", "message": "Requested resource not found"})
_RUNNING: Final = (200, {"TrainingJobName": _NAME, "TrainingJobStatus": "InProgress"})


def test_one_that_another_attempt_created_meanwhile_is_taken_for_ours() -> None:
    """Which it is: the name is made from the job's id."""
    in_use = (400, {"__type": "ResourceInUse", "message": "Job already exists"})
    with (
        sagemaker_server([_ABSENT, in_use, _RUNNING]) as (address, calls),
        open_trainer(_trainer(address)) as client,
    ):
        standing = client.submit(a_handoff(), Lines({}))

    assert standing == Standing(external_id=_NAME, status=TrainingStatus.RUNNING)
    assert calls == ["DescribeTrainingJob", "CreateTrainingJob", "DescribeTrainingJob"]


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "ThrottlingException"), (400, "ResourceLimitExceeded"), (503, "ServiceUnavailable")],
)
def test_what_may_pass_is_tried_again(status: int, code: str) -> None:
    """By the job; other trainings end, and free what they have."""
    failing = (status, {"__type": code, "message": "later"})
    with (
        sagemaker_server([_ABSENT, failing]) as (address, _calls),
        open_trainer(_trainer(address)) as client,
        pytest.raises(TrainerAwayError, match=f"sagemaker-{code}"),
    ):
        client.submit(a_handoff(), Lines({}))


def test_a_refusal_is_final() -> None:
    """With what AWS says of it."""
    refusal = (400, {"__type": "AccessDeniedException", "message": "not authorized to\nPassRole"})
    with (
        sagemaker_server([_ABSENT, refusal]) as (address, _calls),
        open_trainer(_trainer(address)) as client,
        pytest.raises(TrainerRefusedError) as refused,
    ):
        client.submit(a_handoff(), Lines({}))

    assert refused.value.detail == "sagemaker-AccessDeniedException: not authorized to PassRole"


def test_a_failed_training_says_why() -> None:
    """In AWS' words, cut to a line."""
    failed = {"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: " + "x" * 900}
    with (
        sagemaker_server([(200, failed)]) as (address, _calls),
        open_trainer(_trainer(address)) as client,
    ):
        found = client.look(_NAME)

    assert found is not None
    assert (found.status, found.model) == (TrainingStatus.FAILED, None)
    assert found.detail == ("AlgorithmError: " + "x" * 900)[:300]


def test_nobody_there_is_tried_again() -> None:
    """Nor is a machine without credentials the end of a job."""
    with sagemaker_server([]) as (address, _calls):
        pass
    with (
        open_trainer(_trainer(address)) as client,
        pytest.raises(TrainerAwayError, match="sagemaker-EndpointConnectionError"),
    ):
        client.submit(a_handoff(), Lines({}))
