"""How the client's commands fail: a line on stderr, an exit code for scripts."""

import functools
import os
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import Final, NoReturn, ParamSpec

import click

from coordinator.sdk import (
    ClientError,
    ConfigurationError,
    FileChangedError,
    NotAFileError,
    ProblemError,
    StoreError,
    UnreachableError,
)
from coordinator.settings import SettingsError, check_names

P = ParamSpec("P")


class Exit(IntEnum):
    """What a script can tell from the exit code."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    FILE_CHANGED = 5
    INTERRUPTED = 130


EXIT_CODES: Final = """\b
Exit codes:
  0    done; verify: the same
  1    failed; verify, download: the bytes differ
  2    wrong usage, no such file, or a setting is missing
  3    the service or S3 cannot be reached
  4    refused: no valid key, or the key does not allow it
  5    the file changed since its upload began
  130  interrupted; an upload can be resumed

\b
The service is named by COORDINATOR_URL and COORDINATOR_API_KEY."""

_UNAUTHORIZED: Final = frozenset({401, 403})
_AWAY: Final = frozenset({502, 503, 504})
_BY_KIND: Final = (
    (FileChangedError, Exit.FILE_CHANGED),
    (UnreachableError, Exit.UNREACHABLE),
    (ConfigurationError, Exit.USAGE),
    (NotAFileError, Exit.USAGE),
    (ClientError, Exit.FAILED),
)


class InterruptedUploadError(Exception):
    """Ctrl-C during an upload; the message says how to go on."""


def exit_code(error: ClientError) -> Exit:
    """Return the exit code for an error of the client.

    >>> exit_code(ProblemError(code="unauthenticated", status=401, detail="No key"))
    <Exit.REFUSED: 4>
    """
    if isinstance(error, ProblemError | StoreError):
        if error.status in _UNAUTHORIZED:
            return Exit.REFUSED
        return Exit.UNREACHABLE if error.status in _AWAY else Exit.FAILED
    return next(code for kind, code in _BY_KIND if isinstance(error, kind))


def error_code(error: ClientError) -> str:
    """Return a stable word for the error, for JSON."""
    if isinstance(error, ProblemError) or (isinstance(error, StoreError) and error.code):
        return error.code
    return type(error).__name__.removesuffix("Error").lower()


def guarded(command: Callable[P, Exit]) -> Callable[P, None]:
    """Turn what a command returns or raises into an exit."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            check_names(os.environ)
            code = command(*args, **kwargs)
        except SettingsError as exc:
            raise click.UsageError(str(exc)) from exc
        except ClientError as exc:
            complain(exc)
            code = exit_code(exc)
        except (OSError, TimeoutError) as exc:
            click.echo(f"Error: {exc}", err=True)
            code = Exit.FAILED
        except InterruptedUploadError as exc:
            _leave_at_once(str(exc))
        except KeyboardInterrupt:
            _leave_at_once("Interrupted.")
        sys.exit(code)

    return run


def complain(error: ClientError, about: str = "") -> None:
    """Say on stderr what went wrong."""
    click.echo(f"Error: {about}{error}", err=True)


def _leave_at_once(message: str) -> NoReturn:
    """End without waiting for threads: one may sit in a connection for minutes."""
    click.echo(message, err=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(Exit.INTERRUPTED)
