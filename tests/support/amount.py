"""How often a property is tried: a quarter of what was thought of, and all of it with --system."""

CI_SHARE = 4
system = False  # said by conftest.py before any test is collected


def examples(most: int) -> int:
    """So many with --system, a quarter without."""
    return most if system else most // CI_SHARE
