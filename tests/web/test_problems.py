"""The table of refusals is whole."""

from coordinator.domain.errors import CoordinatorError
from coordinator.web.problems import STATUS


def test_every_refusal_has_a_status() -> None:
    """A refusal without a row in the table would be answered as a fault of ours."""
    assert set(CoordinatorError.__subclasses__()) == set(STATUS)


def test_every_refusal_has_a_code_of_its_own() -> None:
    """Clients branch by it."""
    assert len({refusal.code for refusal in STATUS}) == len(STATUS)
