"""A dictionary of bounded size that computes missing values and clears itself when full."""

from collections.abc import Callable
from typing import TypeVar

CACHE_ENTRIES = 65_536
K = TypeVar("K")
V = TypeVar("V")


class Cache(dict[K, V]):
    """A dictionary that computes missing values and clears itself when full."""

    def __init__(self, make: Callable[[K], V] | None = None, limit: int = CACHE_ENTRIES) -> None:
        """Create an empty cache; `make` computes a missing value, and without it a missing key is a KeyError."""
        super().__init__()
        self._make = make
        self._limit = limit

    def __missing__(self, key: K) -> V:
        if self._make is None:
            raise KeyError(key)
        value = self._make(key)
        self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Store a value; clear the cache first if it is full."""
        if len(self) >= self._limit:
            self.clear()
        self[key] = value
