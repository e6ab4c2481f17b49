"""`perflog` in a process that was forked after its imports: the same command, half a second sooner."""

import os
import sys
from pathlib import Path

from ingest.cli.main import main


def run(arguments: tuple[str, ...], folder: Path, log: Path, out: Path) -> None:
    """Become `perflog ARGUMENTS`: its standard streams go to files, its exit code is this process's."""
    os.setsid()
    os.chdir(folder)
    for path, number in ((log, 2), (out, 1)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["perflog", *arguments]
    main()
