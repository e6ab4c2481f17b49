"""How much is played: CI plays a share of the examples and some of the cases, `--system` the others and the rest."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

CI_SHARE = 4
system = False  # conftest.py sets it before any test is collected


def examples(most: int) -> int:
    """So many with --system, a quarter without."""
    return most if system else most // CI_SHARE


def cases(every: Iterable[Any], in_ci: Sequence[Any]) -> list[Any]:
    """The parameters of a test, of which CI plays some; the others are marked `system`."""
    parameters = list(every)
    assert in_ci
    assert set(in_ci) <= set(parameters)
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)), marks=[] if case in in_ci else [pytest.mark.system]
        )
        for case in parameters
    ]
