"""Everything the client raises on purpose.

Rule: no message, and no attribute, holds a key or a presigned URL.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from manifests import Verdict


class ClientError(Exception):
    """What all errors of the client have in common: a message fit to be shown."""


class ConfigurationError(ClientError):
    """The address or the key of the service is missing or cannot be used."""


class NotAFileError(ClientError):
    """The path names no regular file; pipes and folders have no size that could be planned."""


class UnreachableError(ClientError):
    """The service or S3 did not answer, for as long as it made sense to try."""


class UnexpectedAnswerError(ClientError):
    """Something answered, but not as the service would: most likely a proxy, or another server."""


class ProblemError(ClientError):
    """The service refused. ``code`` is stable; ``fields`` are the other members of the problem."""

    def __init__(
        self, *, code: str, status: int, detail: str, fields: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{detail} ({code}, HTTP {status})")
        self.code = code
        self.status = status
        self.detail = detail
        self.fields = dict(fields or {})


class StoreError(ClientError):
    """S3 refused a chunk or a download and would refuse it again."""

    def __init__(self, detail: str, *, status: int, code: str) -> None:
        super().__init__(f"{detail} ({code or 'no code'}, HTTP {status})")
        self.status = status
        self.code = code


class FileChangedError(ClientError):
    """The file is not what it was when the upload began: it needs a new upload."""

    def __init__(self, detail: str, chunks: Sequence[int] = ()) -> None:
        super().__init__(detail)
        self.chunks = tuple(chunks)


class UploadFailedError(ClientError):
    """The upload has ended in FAILED; ``reason`` says why."""

    def __init__(self, upload_id: str, reason: str | None) -> None:
        super().__init__(f"{upload_id} has failed: {reason or 'no reason given'}.")
        self.upload_id = upload_id
        self.reason = reason


class MismatchError(ClientError):
    """What was downloaded is not what the manifest says; nothing was kept of it."""

    def __init__(self, detail: str, verdict: Verdict) -> None:
        super().__init__(detail)
        self.verdict = verdict


class StoppedError(ClientError):
    """The caller ended it; the upload stays open and can be resumed."""

    def __init__(self) -> None:
        super().__init__("Stopped. The upload stays open and can be resumed.")
