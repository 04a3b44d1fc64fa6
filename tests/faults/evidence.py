"""What a run left behind, as values: history, answers, and the three stores at the end.

Everything here is data that `histories.check` judges; `gathering.py` reads it from the real stores.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One write to a row of ``uploads``, as its trigger saw it; in the order of the writes."""

    at: float
    upload: str
    phase: str
    reason: str | None = None
    intent: str | None = None
    attempt: int = 0
    generation: int = 1
    lease_until: float | None = None


class JobChange(msgspec.Struct, frozen=True, kw_only=True):
    """One write to a row of ``jobs``."""

    at: float
    job: str
    upload: str
    kind: str
    state: str
    attempt: int
    has_result: bool


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the file that the processes of a run write, each before it goes on.

    ``ask`` and ``hear`` are a client's calls (``call`` names the route), ``send`` is a
    CompleteMultipartUpload that leaves the process, ``passed`` a crash point, ``did`` what the
    driver did behind the service's back.
    """

    at: float
    stage: int
    word: Literal["ask", "hear", "send", "passed", "did", "over"]
    call: str = ""
    file: str = ""
    upload: str = ""
    status: int = 0
    code: str = ""
    phase: str = ""
    key: str = ""


class UploadRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``uploads`` at the end."""

    id: str
    public_id: str
    file_name: str
    size_bytes: int
    chunk_bytes: int
    object_key: str
    token: str
    phase: str
    reason: str | None = None
    generation: int = 1
    attempt: int = 0
    multipart_id: str | None = None
    declared_sha256: str | None = None
    declared_root: str | None = None


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``jobs`` at the end."""

    id: str
    upload: str
    kind: str
    state: str
    has_result: bool


class ManifestRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``manifests``, its digests in hex."""

    digests: tuple[str, ...]
    root: str
    sha256: str | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """An object as S3 shows it, and the sha256 of what was read back."""

    size_bytes: int
    token: str | None
    root: str | None
    sha256: str


class ArtifactRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``artifacts``."""

    key: str
    size_bytes: int
    sha256: str


class File(msgspec.Struct, frozen=True, kw_only=True):
    """What the client means: the bytes of its file, by their digests."""

    size_bytes: int
    chunk_bytes: int
    digests: tuple[str, ...]
    sha256: str
    root: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a run."""

    files: Mapping[str, File]
    changes: tuple[Change, ...] = ()
    job_changes: tuple[JobChange, ...] = ()
    lines: tuple[Line, ...] = ()
    uploads: tuple[UploadRow, ...] = ()
    jobs: tuple[JobRow, ...] = ()
    manifests: Mapping[str, ManifestRow] = {}
    artifacts: tuple[ArtifactRow, ...] = ()
    audit: tuple[tuple[str, str], ...] = ()  # upload, action
    queue: tuple[str, ...] = ()  # tasks that wait or are held
    objects: Mapping[str, Seen] = {}
    manifest_objects: Mapping[str, ManifestRow] = {}
    multiparts: tuple[tuple[str, str], ...] = ()  # key, S3's id
    redis_keys: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()  # of the pipeline that every upload asks for
    lies: bool = False  # the client declares a checksum that its file does not have
