"""How often a property is tried: a quarter of what was thought of, and all of it with --soak."""

CI_SHARE = 4
soak = False  # said by conftest.py before any test is collected


def examples(most: int) -> int:
    """So many with --soak, a quarter without."""
    return most if soak else most // CI_SHARE
