"""A trainer of one's own: a signed webhook says where the data set is, and whom to tell.

The message has the job's id, and the same bytes whenever it is tried: a receiver that has seen the
``webhook-id`` answers 200 and does nothing.
"""

from typing import Any, Final

import msgspec
from standardwebhooks import Webhook

from coordinator.adapters.outbound_http import new_client, read_at_most
from coordinator.adapters.sinks.http import signed
from coordinator.adapters.trainers.asking import Material, http_faults, judge
from coordinator.domain.events import MEDIA_TYPE
from coordinator.domain.trainers import WebhookTrainer
from coordinator.domain.trainings import Handoff, Standing, TrainingStatus

TYPE: Final = "coordinator.training.requested"
_SOURCE: Final = "/upload-coordinator"

_SECONDS: Final = 15.0
_READ_BYTES: Final = 64 * 1024
_MAX_ID: Final = 200


class WebhookClient:
    """Sends the webhook of one trainer."""

    def __init__(self, trainer: WebhookTrainer) -> None:
        self._trainer = trainer
        self._signer = Webhook(trainer.secret)
        self._client = new_client(
            allow_private=trainer.allow_private,
            seconds=_SECONDS,
            headers={"Content-Type": MEDIA_TYPE},
        )

    def submit(self, handoff: Handoff, material: Material) -> Standing:
        """Send it, and take the receiver's 2xx for its word."""
        material.note()
        body = message(handoff)
        headers = signed([self._signer], handoff.job_id, body)
        with (
            http_faults(),
            self._client.stream("POST", self._trainer.url, content=body, headers=headers) as answer,
        ):
            said = read_at_most(answer, _READ_BYTES)
            judge(answer.status_code, said, hide=self._trainer.confidential)
        return Standing(external_id=_id_in(said), status=TrainingStatus.SUBMITTED)

    def look(self, external_id: str) -> Standing | None:
        """Answer nothing: it is the trainer who tells."""
        del external_id
        return None

    def close(self) -> None:
        """Close connections."""
        self._client.close()


def message(handoff: Handoff) -> bytes:
    """Write the CloudEvent, the same bytes for the same job. It has no time: that would change."""
    callback = handoff.callback
    data: dict[str, Any] = {
        "jobId": handoff.job_id,
        "uploadId": handoff.upload_id,
        "format": handoff.format,
        "rows": handoff.rows,
        "manifest": handoff.manifest,
        "splits": dict(handoff.splits),
        "model": handoff.model,
        "hyperparameters": dict(handoff.hyperparameters),
        "callback": None if callback is None else {"url": callback.url, "token": callback.token},
    }
    event = {
        "specversion": "1.0",
        "id": handoff.job_id,
        "source": _SOURCE,
        "type": TYPE,
        "subject": handoff.upload_id,
        "datacontenttype": "application/json",
        "data": data,
    }
    return msgspec.json.encode(event)


def _id_in(answer: bytes) -> str | None:
    """Read the trainer's own id of it, where the answer has one."""
    try:
        members = msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    found = members.get("id") if isinstance(members, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= _MAX_ID else None
