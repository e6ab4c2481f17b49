"""A clock that a test hands in and moves."""


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        """The time now."""
        return self.s
