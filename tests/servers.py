"""Pytest plugin: one set of real servers for all workers of a run, started when a test needs them.

The first worker whose collected tests need servers starts a holder process (this module as a
program) and the others read the addresses that it writes. Holders end with the pytest that the user
started, also when that is killed: they watch for its process.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import psycopg
import pytest
from psycopg import sql

from coordinator.embedded import Addresses, EmbeddedError, running
from coordinator.embedded.keeper_process import identity
from tests.localstack import S3Address, running_localstack

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = Path(__file__).parents[1]
_PATIENCE_S: Final = 120.0
_FOLDER = pytest.StashKey[Path]()
_holders: list[subprocess.Popen[bytes]] = []


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Addresses:
    """Addresses of the run's own PostgreSQL, Valkey and SeaweedFS; shared by all its workers."""
    return msgspec.convert(_addresses(pytestconfig, "embedded"), Addresses)


@pytest.fixture(scope="session")
def localstack(pytestconfig: pytest.Config) -> S3Address:
    """Address of the run's own LocalStack; shared by all its workers."""
    return msgspec.convert(_addresses(pytestconfig, "localstack"), S3Address)


@pytest.fixture(scope="session", params=["seaweedfs", "localstack"])
def s3_server(request: pytest.FixtureRequest) -> S3Address:
    """Each S3 server in turn: what is promised of S3 must hold on both."""
    if request.param == "localstack":
        address: S3Address = request.getfixturevalue("localstack")
        return address
    return msgspec.convert(msgspec.to_builtins(request.getfixturevalue("servers")), S3Address)


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a folder; its workers are told which."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Begun in the background of a script. What tests start must end by Ctrl-C all the same.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    told = getattr(config, "workerinput", {}).get("servers_folder")
    if told is not None:
        config.stash[_FOLDER] = Path(told)
        return
    folder = config.stash[_FOLDER] = Path(tempfile.mkdtemp(prefix="coordinator-"))
    owner = {"pid": os.getpid(), "identity": identity(os.getpid())}
    (folder / "owner.json").write_text(json.dumps(owner), encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker the run's folder."""
    node.workerinput["servers_folder"] = str(node.config.stash[_FOLDER])


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start what the collected tests need, all at once, before the first of them waits for it."""
    if not session.config.option.collectonly:
        for kind in sorted({kind for item in session.items for kind in _needs(item)}):
            _start(session.config.stash[_FOLDER], kind)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the holders, and with them their servers, once the whole run is over."""
    if hasattr(config, "workerinput") or _FOLDER not in config.stash:
        return
    folder = config.stash[_FOLDER]
    pids = [int(claim.read_text(encoding="ascii")) for claim in folder.glob("*.holder")]
    for pid in pids:
        if identity(pid) is not None:
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_S
    while any(identity(pid) is not None for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    for holder in _holders:
        holder.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _needs(item: pytest.Item) -> set[str]:
    names = set(getattr(item, "fixturenames", ()))
    if "s3_server" in names:
        is_localstack = item.callspec.params["s3_server"] == "localstack"  # type: ignore[attr-defined] # pytest has no public name for it
        names.add("localstack" if is_localstack else "servers")
    return {
        kind
        for name, kind in (("servers", "embedded"), ("localstack", "localstack"))
        if name in names
    }


def _start(folder: Path, kind: str) -> None:
    """Start the holder, unless another worker has done so already."""
    claim = folder / f"{kind}.holder"
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        return
    with (folder / f"{kind}.log").open("wb") as log:
        holder = subprocess.Popen(
            [sys.executable, "-m", "tests.servers", kind, str(folder)],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    claim.write_text(str(holder.pid), encoding="ascii")
    _holders.append(holder)


def _addresses(config: pytest.Config, kind: str) -> Any:
    folder = config.stash[_FOLDER]
    _start(folder, kind)
    answer = folder / f"{kind}.json"
    deadline = time.monotonic() + _PATIENCE_S
    while not answer.exists():
        if time.monotonic() > deadline:
            pytest.fail(f"{kind}: no answer\n{(folder / f'{kind}.log').read_text()}", pytrace=False)
        time.sleep(0.02)
    known = json.loads(answer.read_bytes())
    if "error" in known:
        pytest.fail(known["error"], pytrace=False)
    return known


@contextmanager
def _embedded(folder: Path) -> "Iterator[Addresses]":
    with running(folder) as started:
        _be_quick(started.addresses.database_url)
        yield started.addresses


def _be_quick(database_url: str) -> None:
    """Let a database of tests not wait for the disk: each test makes and drops one."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            conn.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        conn.execute("SELECT pg_reload_conf()")


_KINDS: Final[dict[str, Callable[[Path], AbstractContextManager[Addresses | S3Address]]]] = {
    "embedded": _embedded,
    "localstack": running_localstack,
}


def _hold(kind: str, folder: Path) -> None:
    """Run servers until told to stop, or until the pytest that owns the folder is gone."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    owner = json.loads((folder / "owner.json").read_text(encoding="utf-8"))
    try:
        with _KINDS[kind](folder / kind) as addresses:
            _answer(folder, kind, msgspec.json.encode(addresses))
            while identity(owner["pid"]) == owner["identity"]:
                time.sleep(0.2)
    except EmbeddedError as exc:
        _answer(folder, kind, msgspec.json.encode({"error": str(exc)}))
    finally:
        shutil.rmtree(folder / kind, ignore_errors=True)
        if identity(owner["pid"]) != owner["identity"]:
            _sweep(folder, kind)


def _answer(folder: Path, kind: str, text: bytes) -> None:
    fresh = folder / f"{kind}.new"
    fresh.write_bytes(text)
    fresh.replace(folder / f"{kind}.json")


def _sweep(folder: Path, kind: str) -> None:
    """Remove the run's folder, by its last holder: pytest is not there to do it."""
    for path in folder.glob(f"{kind}.*"):
        path.unlink()
    if not [path for path in folder.iterdir() if path.name != "owner.json"]:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _hold(sys.argv[1], Path(sys.argv[2]))
