"""A process of its own that completes one upload, and stops itself (SIGSTOP) at a named point.

    python -m tests.faults.answers.stopping POINT UPLOAD_ID

It holds a lease of a second and waits for S3 as long as it takes: when it wakes, only what stands
in the code keeps it from doing harm. It prints what it came to.
"""

import asyncio
import json
import os
import signal
import sys
from datetime import timedelta

from coordinator import points, settings
from coordinator.adapters.stores import open_stores
from coordinator.domain.checksums import Declared
from coordinator.domain.uploads import Owner
from coordinator.operations.complete_upload import complete_upload
from tests.builders import uuid_of

LEASE = timedelta(seconds=1)
S3_DEADLINE = timedelta(seconds=0.5)


def _stop_at(wanted: str) -> None:
    def hook(point: points.Point) -> None:
        if point == wanted:
            points.install(None)
            os.kill(os.getpid(), signal.SIGSTOP)

    points.install(hook)


async def _main(point: str, upload_id: str) -> None:
    known = settings.read({k: v for k, v in os.environ.items() if k.startswith(settings.PREFIX)})
    async with open_stores(known) as opened:
        stores = opened._replace(lease=LEASE, s3_deadline=S3_DEADLINE)
        _stop_at(point)
        upload = await complete_upload(
            stores,
            uuid_of(upload_id),
            Owner("default", None),
            checksum=None,
            declared=Declared(),
            manifest=None,
            actor="the stopped one",
        )
    sys.stdout.write(json.dumps({"phase": upload.phase, "attempt": upload.attempt}))


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
