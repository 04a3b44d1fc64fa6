"""A program that runs the embedded servers until it is ended; the tests end it in every way."""

import json
import logging
import sys
import time
from pathlib import Path

import msgspec

from coordinator.embedded import EmbeddedError, running


def main() -> None:
    """Run the servers in the folder given, and tell of them in one line."""
    logging.basicConfig(level=logging.INFO)
    try:
        with running(Path(sys.argv[1])) as servers:
            pids = [servers.keeper.keeper_pid]
            pids += [s.pid or 0 for s in (servers.postgres, servers.valkey, servers.seaweedfs)]
            told = {"pids": pids, "addresses": msgspec.to_builtins(servers.addresses)}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()
            if sys.argv[2:] == ["once"]:
                return
            while True:
                time.sleep(60)
    except EmbeddedError as exc:
        sys.exit(f"refused: {exc}")


if __name__ == "__main__":
    main()
