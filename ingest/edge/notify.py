"""Ways to tell people of an incident. The first one is the log: whoever gathers logs has it, and it cannot be away."""

import logging

from ingest.edge.ports import Notice

_LEVELS = {"warning": logging.WARNING, "critical": logging.ERROR}


class LogNotifier:
    """A notifier that writes a line to the log `perflog.alerts`: see `ports.Notifier`."""

    def __init__(self) -> None:
        """Take the log."""
        self._log = logging.getLogger("perflog.alerts")

    def tell(self, notice: Notice) -> None:
        """One line: what became of it, the sentence, and of a new one what it means."""
        level = logging.INFO if notice.what == "closed" else _LEVELS[notice.severity]
        meaning = f" {notice.meaning}" if notice.what == "fired" else ""
        self._log.log(level, "%s: %s%s [%s]", notice.what, notice.text, meaning, notice.id)
