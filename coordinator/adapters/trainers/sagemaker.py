"""Training jobs of SageMaker. The name is made from the job's id, so that there is one for ever."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import botocore.session
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from coordinator.adapters.trainers.asking import Material, TrainerAwayError, TrainerRefusedError
from coordinator.domain.trainers import SageMakerTrainer
from coordinator.domain.trainings import OF_SAGEMAKER, Handoff, Standing, TrainingStatus, shortened

_CONFIG: Final = Config(
    connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 2}
)
_MISSING: Final = frozenset({"ResourceNotFound", "ValidationException"})
_TEMPORARY: Final = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "ResourceLimitExceeded",  # other trainings end
        "ServiceUnavailable",
        "InternalFailure",
        "ExpiredTokenException",
    }
)
_MEDIA_TYPES: Final = {"parquet": "application/vnd.apache.parquet", "jsonl": "application/jsonl"}
_SERVER_ERROR: Final = 500


class SageMakerClient:
    """Asks one region's SageMaker."""

    def __init__(self, trainer: SageMakerTrainer) -> None:
        self._trainer = trainer
        self._client: Any = botocore.session.get_session().create_client(
            "sagemaker",
            region_name=trainer.region,
            endpoint_url=trainer.endpoint or None,
            config=_CONFIG,
        )

    def submit(self, handoff: Handoff, material: Material) -> Standing:
        """Create the training job unless an earlier try did."""
        name = name_of(handoff.job_id)
        material.note()
        found = self._described(name)
        if found is not None:
            return found
        channels = {split: material.listing(split) for split in handoff.splits}
        request = _request(self._trainer, name, handoff, channels)
        with _faults():
            try:
                self._client.create_training_job(**request)
            except ClientError as exc:
                # Another attempt was faster, or the answer of ours was lost.
                if _code(exc) != "ResourceInUse":
                    raise
        return self._described(name) or Standing(external_id=name, status=TrainingStatus.SUBMITTED)

    def look(self, external_id: str) -> Standing | None:
        """Ask where it stands."""
        unknown = Standing(external_id=external_id, status=TrainingStatus.UNKNOWN)
        return self._described(external_id) or unknown

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _described(self, name: str) -> Standing | None:
        with _faults():
            try:
                answer = self._client.describe_training_job(TrainingJobName=name)
            except ClientError as exc:
                if _code(exc) in _MISSING:
                    return None
                raise
        status = str(answer.get("TrainingJobStatus", ""))
        artifacts = answer.get("ModelArtifacts") or {}
        return Standing(
            external_id=name,
            status=OF_SAGEMAKER.get(status, TrainingStatus.RUNNING),
            model=artifacts.get("S3ModelArtifacts") if status == "Completed" else None,
            detail=shortened(answer.get("FailureReason")),
        )


def name_of(job_id: str) -> str:
    """Spell a job's id as SageMaker wants names: letters, digits and single hyphens."""
    return f"coordinator-{job_id.replace('_', '-')}"


def _request(
    trainer: SageMakerTrainer, name: str, handoff: Handoff, channels: Mapping[str, str]
) -> dict[str, Any]:
    output = {"S3OutputPath": trainer.output_path}
    if trainer.kms_key:
        output["KmsKeyId"] = trainer.kms_key
    told = dict(handoff.hyperparameters)
    if handoff.model is not None:
        told = {"model": handoff.model, **told}
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": trainer.image, "TrainingInputMode": "File"},
        "RoleArn": trainer.role_arn,
        "HyperParameters": {key: _text(value) for key, value in told.items()},
        "InputDataConfig": [
            {
                "ChannelName": split,
                "ContentType": _MEDIA_TYPES.get(handoff.format, "application/octet-stream"),
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "ManifestFile",  # a prefix would take in our manifests
                        "S3Uri": address,
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
            for split, address in channels.items()
        ],
        "OutputDataConfig": output,
        "ResourceConfig": {
            "InstanceType": trainer.instance_type,
            "InstanceCount": trainer.instance_count,
            "VolumeSizeInGB": trainer.volume_gib,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": trainer.max_runtime_seconds},
        "Tags": [
            {"Key": "coordinator-job", "Value": handoff.job_id},
            {"Key": "coordinator-upload", "Value": handoff.upload_id},
        ],
    }


def _text(value: object) -> str:
    """Spell a hyperparameter: SageMaker takes texts only."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _code(exc: ClientError) -> str:
    return str(exc.response.get("Error", {}).get("Code", ""))


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except ClientError as exc:
        code = _code(exc)
        status = int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _TEMPORARY or status >= _SERVER_ERROR:
            raise TrainerAwayError(f"sagemaker-{code}") from None
        said = exc.response.get("Error", {}).get("Message", "")
        raise TrainerRefusedError(f"sagemaker-{code}: {said}") from None
    except BotoCoreError as exc:
        raise TrainerAwayError(f"sagemaker-{type(exc).__name__}") from None
    except OSError:
        raise TrainerAwayError("not-reachable") from None
