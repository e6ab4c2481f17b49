"""What a process writes to stderr, while it runs."""

import subprocess
from threading import Thread

from tests.support.waiting import DEADLINE_S, eventually

TAIL = 3000


class Log:
    """Reads a process's stderr on a thread."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Begin to read."""
        self.text = ""
        self._process = process
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._process.stderr or ():
            self.text += line

    def until(self, words: str) -> None:
        """Wait until the process has written these words."""
        eventually(lambda: words in self.text, f"it logs {words!r}", details=lambda: self.text[-TAIL:])

    def whole(self) -> str:
        """Everything, once the process has ended."""
        self._thread.join(DEADLINE_S)
        return self.text
