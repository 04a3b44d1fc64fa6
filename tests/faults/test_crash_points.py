"""Kill -9 at every crash point, twice each; ``make soak`` does it over many seeds."""

from collections.abc import Iterator
from typing import Final
from uuid import uuid4

import pytest

from coordinator.embedded import Addresses
from coordinator.points import ALL, Point
from tests.faults.lanes import Wanted
from tests.faults.scenarios import scenario
from tests.faults.soak import LaneProcess, place_of

_SEEDS: Final = (0, 1)


@pytest.fixture(scope="module")
def lane(servers: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaneProcess]:
    """A warm process that forks those that are killed."""
    folder = tmp_path_factory.mktemp("crashes")
    place = place_of(servers, servers, name=f"crash-{uuid4().hex}", folder=folder, valkey=15)
    started = LaneProcess(place)
    yield started
    started.end()


@pytest.mark.parametrize("point", ALL)
def test_nothing_is_lost_or_done_twice_after_a_kill(lane: LaneProcess, point: Point) -> None:
    """Restarted, and its clients patient, the service ends where it would have ended.

    Again: ``python -m tests.faults.soak --point POINT --seed SEED -v``.
    """
    outcomes = [lane.run(Wanted(point, seed)) for seed in _SEEDS]

    assert [(outcome.is_reached, outcome.violations) for outcome in outcomes] == [
        (True, []) for _ in _SEEDS
    ]


def test_a_point_and_a_seed_name_one_scenario_for_ever() -> None:
    """A failure that is reported by them can be run again."""
    drawn = [scenario(point, seed) for point in ALL for seed in range(40)]

    assert drawn == [scenario(point, seed) for point in ALL for seed in range(40)]
    assert len({each.crashes for each in drawn}) > len(ALL)


def test_scenarios_differ_in_all_that_is_left_to_the_seed() -> None:
    """Forty seeds are not forty times the same."""
    drawn = [scenario(point, seed) for point in ALL for seed in range(40)]

    for name in ("shape", "goal", "declared", "has_key", "reports", "at_once", "declares_late"):
        assert len({getattr(each, name) for each in drawn}) > 1, name
    troubles = {trouble for each in drawn for trouble in each.troubles}
    assert len(troubles) == 10
