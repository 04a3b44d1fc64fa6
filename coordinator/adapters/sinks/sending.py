"""What all kinds of sinks have in common: a function that sends, and what it raises."""

from collections.abc import Awaitable, Callable

from coordinator.domain.deliveries import Fault
from coordinator.domain.events import Recorded

# Returns once the sink has confirmed it, or a fault that trying again would not mend.
Send = Callable[[Recorded], Awaitable[Fault | None]]


class TemporaryError(Exception):
    """The sink did not take it; a later attempt may do better. ``code`` is stable.

    What libraries say may repeat addresses and passwords: it is never chained or shown.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
