"""What an upload leaves in the caller's hand."""

import threading

from coordinator.sdk.answers import Completed, Status
from coordinator.sdk.finishing import await_jobs
from coordinator.sdk.service import Service


class Handle:
    """A completed upload: S3 holds the file, proven. Its jobs may still be running."""

    def __init__(self, service: Service, result: Completed, stop: threading.Event) -> None:
        self._service = service
        self._stop = stop
        self.upload_id = result.upload_id
        self.result = result

    def status(self) -> Status:
        """Return what the service knows of it now."""
        return self._service.status(self.upload_id)

    def wait(self, timeout: float | None = None, *, stop: threading.Event | None = None) -> Status:
        """Return the status once all jobs have ended, well or badly: see ``ai_pipeline``.

        Raises:
            TimeoutError: that took longer than ``timeout`` seconds.
            StoppedError: ``stop`` was set meanwhile.

        """
        stop = stop or self._stop
        return await_jobs(self._service, self.upload_id, timeout_s=timeout, stop=stop)
