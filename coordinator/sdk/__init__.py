"""The Python client.

>>> from coordinator.sdk import Client
>>> with Client() as client:  # doctest: +SKIP
...     upload = client.upload("train.jsonl", purpose="training")
...     print(upload.wait().ai_pipeline)

Rule: imports ``manifests`` and no other package of the project.
"""

from coordinator.sdk.answers import (
    Completed,
    HandedOut,
    Job,
    Listed,
    Pipeline,
    Progressed,
    Proof,
    Status,
    UploadToken,
)
from coordinator.sdk.async_client import AsyncClient, AsyncHandle
from coordinator.sdk.checking import check_file
from coordinator.sdk.client import Client
from coordinator.sdk.errors import (
    ClientError,
    ConfigurationError,
    FileChangedError,
    MismatchError,
    NotAFileError,
    ProblemError,
    StoppedError,
    StoreError,
    UnexpectedAnswerError,
    UnreachableError,
    UploadFailedError,
)
from coordinator.sdk.events import Event, PhaseChanged
from coordinator.sdk.handle import Handle
from coordinator.sdk.progress import Listener, Progress, Stage
from coordinator.sdk.searching import Dataset, Hit

__all__ = [
    "AsyncClient",
    "AsyncHandle",
    "Client",
    "ClientError",
    "Completed",
    "ConfigurationError",
    "Dataset",
    "Event",
    "FileChangedError",
    "HandedOut",
    "Handle",
    "Hit",
    "Job",
    "Listed",
    "Listener",
    "MismatchError",
    "NotAFileError",
    "PhaseChanged",
    "Pipeline",
    "ProblemError",
    "Progress",
    "Progressed",
    "Proof",
    "Stage",
    "Status",
    "StoppedError",
    "StoreError",
    "UnexpectedAnswerError",
    "UnreachableError",
    "UploadFailedError",
    "UploadToken",
    "check_file",
]
