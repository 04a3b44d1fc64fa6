"""The mutants of ``make mutation`` are made of the sources as they are now."""

import ast
from pathlib import Path

import pytest

from tests.faults.mutants import Mutant
from tests.faults.mutation import MUTANTS

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.check)
def test_a_mutant_can_be_made(mutant: Mutant) -> None:
    """A check that moved would be skipped in silence, and its mutant prove nothing."""
    source = (_ROOT / mutant.path).read_text(encoding="utf-8")

    changed = source.replace(mutant.text, mutant.without)

    assert source.count(mutant.text) == 1
    assert ast.unparse(ast.parse(changed)) != ast.unparse(ast.parse(source))
