"""What the tests of the embedded servers do with them: start a parent process, use every server."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
import redis

from coordinator.embedded import Addresses, bucket, seaweedfs
from coordinator.embedded.keeper_process import identity

ROOT: Final = Path(__file__).parents[2]
PATIENCE_S: Final = 30.0


class Parent:
    """A process of its own that holds the servers of a folder."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            command(home),
            env=environment(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        told = json.loads(line)
        self.servers: list[int] = told["pids"]
        self.addresses = msgspec.convert(told["addresses"], Addresses)
        self.identities = {pid: identity(pid) for pid in self.servers}

    def end(self) -> None:
        """Reap it, and wait until all that it had started has ended too."""
        self.process.communicate(timeout=PATIENCE_S)
        wait_until(lambda: not self.survivors())

    def survivors(self) -> list[int]:
        """Return the processes of its that still live."""
        return [pid for pid, known in self.identities.items() if identity(pid) == known]


def command(home: Path, *words: str, python: str = sys.executable) -> Sequence[str]:
    """Return the command that runs the parent program."""
    return [python, str(Path(__file__).with_name("parent.py")), str(home), *words]


def environment(**more: str) -> Mapping[str, str]:
    """Return this environment, with the project importable."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def wait_until(claim: Callable[[], bool]) -> None:
    """Return once the claim holds; fail if it does not in good time."""
    deadline = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def s3_client(addresses: Addresses) -> Any:
    """Return a client for the bucket's server."""
    return bucket.client(
        addresses.s3_endpoint, access_key=addresses.access_key, secret_key=addresses.secret_key
    )


def write_everywhere(addresses: Addresses, word: str) -> None:
    """Leave a word on every server."""
    with psycopg.connect(addresses.database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("INSERT INTO words VALUES (%s)", [word])
    with redis.Redis.from_url(addresses.redis_url) as cache:
        cache.set(word, word)
    s3_client(addresses).put_object(Bucket=addresses.s3_bucket, Key=word, Body=word.encode())


def read_everywhere(addresses: Addresses, word: str) -> tuple[bool, bool, bool]:
    """Tell for Postgres, Valkey and S3 whether they have the word."""
    with psycopg.connect(addresses.database_url) as connection:
        rows = connection.execute("SELECT FROM words WHERE word = %s", [word]).fetchall()
    with redis.Redis.from_url(addresses.redis_url) as cache:
        cached = cache.get(word)
    s3 = s3_client(addresses)
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=addresses.s3_bucket).get("Contents", [])]
    return len(rows) == 1, cached == word.encode(), word in keys


def leftover_sockets(home: Path) -> list[Path]:
    """Return the socket files that carry one of the ports of the home's SeaweedFS.

    Not of the other ports: a SeaweedFS of somebody else, long killed, may have had those.
    """
    ports = json.loads((home / "ports.json").read_bytes())
    return [
        path
        for flag in seaweedfs.PORTS
        for path in Path("/tmp").glob(f"seaweedfs-*-{ports[flag]}.sock")
    ]
