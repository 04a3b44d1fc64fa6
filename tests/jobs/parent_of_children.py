"""A process whose children are busy when the tests kill it."""

import sys

from coordinator.jobs.executors import open_executor
from tests.jobs.computing import Slice, told


def main() -> None:
    """Keep two children busy for minutes."""
    with open_executor(2, None) as executor:
        futures = [executor.submit(told, Slice(n, seconds=300.0), sys.argv[1]) for n in range(2)]
        for future in futures:
            future.result()


if __name__ == "__main__":
    main()
