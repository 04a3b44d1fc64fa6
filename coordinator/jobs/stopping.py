"""How a job body is told that nobody waits for it any more."""


class StoppedError(Exception):
    """The job was cancelled, or another attempt has taken over. Let it fly: nothing is written."""


class FatalJobError(Exception):
    """Trying again would not help. ``code`` goes to the job's row, ``detail`` to the log."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
