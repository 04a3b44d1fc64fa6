"""Erasures: whose data is removed, what was found of it, and who ends an upload that is open.

Rule: what is counted is written down before it is removed, so that a report is right whoever died.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from coordinator.domain.phases import Intent
from coordinator.domain.uploads import Busy, Ended, Seal, Upload, seal_as_it_is


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What S3 held of one upload before anything of it was removed."""

    objects: int = 0  # keys that somebody could have read
    versions: int = 0  # of all keys, delete markers too
    bytes: int = 0  # of all versions
    multiparts: int = 0
    refused: int = 0  # versions that S3 did not let go when it was last asked


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What Postgres held of one upload."""

    manifests: int = 0
    jobs: int = 0
    queue_entries: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased; of a dry run, what would be. ``held``: the ids of uploads that stay."""

    uploads: int = 0
    objects: int = 0
    versions: int = 0
    bytes: int = 0
    multiparts: int = 0
    manifests: int = 0
    jobs: int = 0
    queue_entries: int = 0
    held: list[str] = []
    remaining: int = 0  # uploads that are hidden and not gone yet
    refused: int = 0  # versions of those that S3 does not let go; tried again later

    def plus(self, found: Found, removed: Removed) -> "Report":
        """Count one more upload."""
        return msgspec.structs.replace(
            self,
            uploads=self.uploads + 1,
            objects=self.objects + found.objects,
            versions=self.versions + found.versions,
            bytes=self.bytes + found.bytes,
            multiparts=self.multiparts + found.multiparts,
            manifests=self.manifests + removed.manifests,
            jobs=self.jobs + removed.jobs,
            queue_entries=self.queue_entries + removed.queue_entries,
        )

    def holding(self, upload_ids: list[str]) -> "Report":
        """Say which uploads stay."""
        return msgspec.structs.replace(self, held=upload_ids)


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``erasures``: of one upload, or of a user as it was when that was asked for."""

    id: UUID
    tenant: str
    upload_id: UUID | None
    user_id: str | None
    cause: str
    is_dry_run: bool
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    report: Report


def take_for_erasing(upload: Upload) -> Seal | Ended | Busy:
    """Decide whether the upload can be ended now, because it is being erased.

    Nobody needs to know any more whether S3 has assembled it: whatever there is goes.
    """
    if not upload.is_open:
        return Ended(upload.phase)
    if upload.is_leased:
        return Busy()
    return seal_as_it_is(upload, Intent.ABORT)
