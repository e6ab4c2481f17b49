"""Delays a client's part in a rebalance until its owner knows of it.

kafka-python rejoins as soon as it learns in `poll` that the group is rebalancing, and may give up partitions within
that same poll. Records that the owner still has in flight would then be processed again by the next owner. So the
client learns of the rebalance only after it was announced to its owner, which has then had the time to finish.
"""

from typing import Any


class RebalanceGate:
    """Replaces `need_rejoin` of one client's coordinator, which decides whether the client rejoins."""

    def __init__(self, coordinator: Any) -> None:
        """Start closed: the client does not rejoin until its owner knows that a rebalance is due."""
        self._coordinator, self._needs_rejoin, self._announced = coordinator, coordinator.need_rejoin, False
        coordinator.need_rejoin = self._may_join

    def _may_join(self) -> bool:
        """Allow the rejoin that was announced to the owner, until it is complete."""
        self._announced = self._announced and bool(self._needs_rejoin())
        return self._announced

    def due(self) -> bool:
        """Whether the client has to rejoin the group.

        A join that was under way when the last poll ended counts too. If new metadata had triggered it, kafka-python
        3.0.12 finds no reason to rejoin once the leader has used the metadata: the assignment is never taken, and the
        member stays in the group forever without a partition.
        """
        if self._coordinator.rejoining and not self._coordinator.rejoin_needed:
            self._coordinator.request_rejoin()
        return bool(self._needs_rejoin())

    def announce(self) -> bool:
        """Return `due()` to the owner; if it is True, polls rejoin from now on."""
        self._announced = self.due()
        return self._announced
