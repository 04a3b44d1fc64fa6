"""PostgreSQL refuses to run as root: who it runs as instead; ordinary users need no trick."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import msgspec
import pytest

from coordinator.embedded import EmbeddedError, Keeper, Server, postgres
from coordinator.embedded import home as homes
from coordinator.embedded.keeper import Account
from tests.embedded.starting import ROOT, command, environment

ORDINARY = 65534 if os.geteuid() == 0 else os.geteuid()
"""Run as root, the test takes `nobody`, since PostgreSQL wants a user that has a name."""
NOBODY = (65534, 65534)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def test_an_ordinary_user_can_run_everything(home: Path) -> None:
    """`make demo` needs no root."""
    ended = _once_as_ordinary_user(home)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert (home / "postgres").stat().st_uid == ORDINARY


@as_root
def test_a_dead_socket_of_somebody_else_costs_a_port_and_no_start(home: Path) -> None:
    """SeaweedFS gives up when it cannot delete the socket that it would make in /tmp."""
    assert _once_as_ordinary_user(home).returncode == 0
    before = msgspec.json.decode((home / "ports.json").read_bytes())["s3.port"]
    dead = Path(f"/tmp/seaweedfs-s3-{before}.sock")
    dead.touch()

    ended = _once_as_ordinary_user(home)

    dead.unlink()
    assert ended.returncode == 0, ended.stderr
    assert msgspec.json.decode((home / "ports.json").read_bytes())["s3.port"] != before


@as_root
def test_root_needs_no_account_where_namespaces_are_permitted(home: Path) -> None:
    """No user is made, and all files stay root's."""
    with Keeper(home) as keeper:
        account = postgres.choose_account(keeper)
        if account != "namespace":
            assert account == NOBODY, "neither way is open here"
            return
        server = _postgres(keeper, account)
        server.start()
        owner = Path(f"/proc/{server.pid}").stat().st_uid

    assert owner == (home / "postgres").stat().st_uid == 0


@as_root
def test_root_in_a_container_without_namespaces_uses_nobody(home: Path) -> None:
    """Docker's default profile forbids namespaces to root, too."""
    with Keeper(home) as keeper:
        account = postgres.choose_account(keeper, may_have_namespace=False)
        server = _postgres(keeper, account)
        server.start()
        owner = Path(f"/proc/{server.pid}").stat().st_uid
        server.kill()
        server.start()

    assert account == NOBODY
    assert owner == (home / "postgres").stat().st_uid == NOBODY[0]


@as_root
def test_where_neither_is_possible_the_error_says_what_to_do(home: Path) -> None:
    """A folder that only root may enter leaves no way; initdb's own words would not help."""
    home.parent.chmod(0o700)

    with Keeper(home) as keeper, pytest.raises(EmbeddedError, match="Run this as an ordinary user"):
        postgres.choose_account(keeper, may_have_namespace=False)


def _once_as_ordinary_user(home: Path) -> subprocess.CompletedProcess[str]:
    """Start everything in ``home`` and end it; as root, by becoming nobody first."""
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(home.parent, ORDINARY, ORDINARY)
    return subprocess.run(
        command(home, "once", python=_python_for_all()),
        env=environment(PYTHONPATH=f"{ROOT}:{sysconfig.get_path('purelib')}", HOME="/nonexistent"),
        cwd="/",
        user=ORDINARY if is_root else None,
        group=ORDINARY if is_root else None,
        extra_groups=[] if is_root else None,
        capture_output=True,
        text=True,
        check=False,
    )


def _postgres(keeper: Keeper, account: Account) -> Server:
    port = homes.ports(keeper.home, ["postgres"])["postgres"]
    password = homes.credentials(keeper.home).database_password
    return Server(keeper, postgres.recipe(keeper, port=port, password=password, account=account))


def _python_for_all() -> str:
    """Return a python of our version that the ordinary user may run.

    The virtual environment's own may lie in a home that is closed to others, /root for one.
    """
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, system):
        folders = Path(candidate).resolve().parents
        if Path(candidate).exists() and all(f.stat().st_mode & 0o005 == 0o005 for f in folders):
            return candidate
    pytest.fail(
        f"{sys.executable} lies where user {ORDINARY} cannot enter and there is no {system}: "
        "make the virtual environment with a python that all users may run."
    )
