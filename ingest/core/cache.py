"""A dictionary of bounded size: it makes what it does not know, and starts anew when it is full."""

from collections.abc import Callable
from typing import Any

KEPT = 65_536  # entries of a cache


class Cache(dict[Any, Any]):
    """A dictionary that makes what it does not know, and starts anew when it is full."""

    def __init__(self, make: Callable[[Any], Any] | None = None, limit: int = KEPT) -> None:
        """`make` answers for a key that is not there; without it, asking for one is an error."""
        super().__init__()
        self._make = make
        self._limit = limit

    def __missing__(self, key: Any) -> Any:
        if self._make is None:
            raise KeyError(key)
        self.keep(key, self._make(key))
        return self[key]

    def keep(self, key: Any, value: Any) -> None:
        """Remember, forgetting all before when there is no room."""
        if len(self) >= self._limit:
            self.clear()
        self[key] = value
