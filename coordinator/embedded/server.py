"""One server: what must be known to run it, and the handle that starts and stops it."""

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from coordinator.embedded.errors import EmbeddedError
from coordinator.embedded.keeper import Account, Keeper

_START_PATIENCE_S: Final = 60.0
_TAIL_LINES: Final = 15


class NotReadyError(Exception):
    """The server does not answer as it should, or not yet."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How to run one server; data, so that one class runs all of them."""

    name: str
    argv: Sequence[str | Path]
    folder: Path
    check: Callable[[], None]
    """Uses the server for real; raises NotReadyError while that fails."""
    env: Mapping[str, str]
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 15.0
    account: Account = None
    debris: Sequence[Path] = ()
    """Files that it leaves behind when it ends."""
    passing: Sequence[str] = ()
    """Words in its log after which a failed start is worth another try."""
    secrets: Sequence[str] = ()
    """Never shown, should the log contain them."""


class Server:
    """One server under a keeper: stop it, kill it, start it again where it was."""

    def __init__(self, keeper: Keeper, recipe: Recipe) -> None:
        self._keeper = keeper
        self._recipe = recipe

    @property
    def name(self) -> str:
        """Its name, which its log has too."""
        return self._recipe.name

    @property
    def log(self) -> Path:
        """The file that its output goes to."""
        return self._keeper.log_path(self.name)

    @property
    def pid(self) -> int | None:
        """Its process id, or None while it does not run."""
        return self._keeper.pid(self.name)

    def start(self) -> None:
        """Start it and return when it answers.

        Raises:
            EmbeddedError: It ended or stays silent; the message has the end of its log.
        """
        deadline = time.monotonic() + _START_PATIENCE_S
        while not self._try_start(deadline):
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop it gracefully, by force if it takes too long; its data stays."""
        if self.pid is not None:
            recipe = self._recipe
            self._keeper.stop(recipe.name, stop_signal=recipe.stop_signal, grace_s=recipe.grace_s)

    def kill(self) -> None:
        """End it as a crash would, by SIGKILL, and return when it is gone."""
        if self.pid is not None:
            self._keeper.stop(self.name, stop_signal=signal.SIGKILL)

    def _try_start(self, deadline: float) -> bool:
        """Return False for a failure that passes, such as a predecessor that is still going."""
        recipe = self._recipe
        seen = self.log.stat().st_size if self.log.exists() else 0
        self._keeper.start(
            recipe.name,
            recipe.argv,
            env=recipe.env,
            cwd=recipe.folder,
            stop_signal=recipe.stop_signal,
            grace_s=recipe.grace_s,
            account=recipe.account,
            debris=recipe.debris,
        )
        while True:
            code = self._keeper.exit_code(recipe.name)
            try:
                # Only an answer of the very process counts: another one might hold the port.
                if code is None:
                    recipe.check()
                    return True
                why = f"ended with code {code}"
            except NotReadyError as exc:
                why = f"does not answer: {exc}"
            if code is not None and self._will_pass(seen) and time.monotonic() < deadline:
                return False
            if code is not None or time.monotonic() > deadline:
                raise EmbeddedError(self.redact(f"{recipe.name} {why}\n{self._tail(seen)}"))
            time.sleep(0.03)

    def _will_pass(self, seen: int) -> bool:
        tail = self._tail(seen)
        return any(words in tail for words in self._recipe.passing)

    def _tail(self, seen: int) -> str:
        with self.log.open("rb") as log:
            # A log that became too long was put aside by the keeper, and begins anew.
            log.seek(seen if seen <= self.log.stat().st_size else 0)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join([f"The end of {self.log}:", *lines[-_TAIL_LINES:]])

    def redact(self, text: str) -> str:
        """Take the server's secrets out of a text."""
        for secret in self._recipe.secrets:
            text = text.replace(secret, "***")
        return text
