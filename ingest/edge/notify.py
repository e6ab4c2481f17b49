"""Ways to notify people of an incident; for now the log, which every site collects and which is always available."""

import logging

from ingest.edge.ports import Notice

_LEVELS = {"warning": logging.WARNING, "critical": logging.ERROR}


class LogNotifier:
    """Writes a line to the log `perflog.alerts`; implements `ports.Notifier`."""

    def __init__(self) -> None:
        """Take the logger."""
        self._log = logging.getLogger("perflog.alerts")

    def tell(self, notice: Notice) -> None:
        """Write one line: the change, the sentence and, for a new incident, its meaning."""
        level = logging.INFO if notice.what == "closed" else _LEVELS[notice.severity]
        meaning = f" {notice.meaning}" if notice.what == "fired" else ""
        self._log.log(level, "%s: %s%s [%s]", notice.what, notice.text, meaning, notice.id)
