"""A dictionary of bounded size that computes missing values and clears itself when full."""

from collections.abc import Callable
from typing import Any

KEPT = 65_536  # entries of a cache


class Cache(dict[Any, Any]):
    """A dictionary that computes missing values and clears itself when full."""

    def __init__(self, make: Callable[[Any], Any] | None = None, limit: int = KEPT) -> None:
        """Create an empty cache; `make` computes a missing value, and without it a missing key is a KeyError."""
        super().__init__()
        self._make = make
        self._limit = limit

    def __missing__(self, key: Any) -> Any:
        if self._make is None:
            raise KeyError(key)
        self.keep(key, self._make(key))
        return self[key]

    def keep(self, key: Any, value: Any) -> None:
        """Store a value; clear the cache first if it is full."""
        if len(self) >= self._limit:
            self.clear()
        self[key] = value
