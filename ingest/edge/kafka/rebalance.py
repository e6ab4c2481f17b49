"""When a client may take part in the sharing-out of its group: once somebody was told of it. Touches nothing.

kafka-python joins whenever it hears in `poll` that the group is being shared out, and may give partitions up within
that very poll: what their owner still has under way would be asked a second time by the next one. So the client hears
of it only once its owner was `told`, and has had the time to finish.
"""

from typing import Any


class RebalanceGate:
    """Before one client's coordinator, by the attribute with which that asks whether it has to join."""

    def __init__(self, coordinator: Any) -> None:
        """Closed until somebody was told that it is due."""
        self._coordinator, self._asked, self._told = coordinator, coordinator.need_rejoin, False
        coordinator.need_rejoin = self._may_join

    def _may_join(self) -> bool:
        """For what the owner was told, until nothing of it is left."""
        self._told = self._told and bool(self._asked())
        return self._told

    def due(self) -> bool:
        """Whether the group is to be joined anew.

        A join that was under way when the last poll ended counts too. Where it had been set off by new metadata,
        kafka-python 3.0.12 finds no reason to join any more once the leader has used them: the assignment is never
        taken, and the member sits in the group for ever without a partition.
        """
        if self._coordinator.rejoining and not self._coordinator.rejoin_needed:
            self._coordinator.request_rejoin()
        return bool(self._asked())

    def told(self) -> bool:
        """The same, said to the owner: if so, polls join from now on."""
        self._told = self.due()
        return self._told
