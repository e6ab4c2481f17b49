"""`perflog` as a user calls it: words in, an exit code and two streams out.

`perflog` goes through the same door as the process and stays in this one: starting one costs more than most answers.
`process` starts one, for what only a process has: its zone, its children, its installed name.
"""

import os
import subprocess
import sys
from unittest.mock import patch

from click.testing import CliRunner

from ingest.cli.main import main

Done = subprocess.CompletedProcess[bytes]


def perflog(*words: str, stdin: bytes = b"") -> Done:
    """What these words give, in this process."""
    code: object = None
    with CliRunner().isolation(input=stdin) as (out, err, _), patch.object(sys, "argv", ["perflog", *words]):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int), "it ends by an exit code"
    return Done(list(words), code, out.getvalue(), err.getvalue())


def process(*words: str, stdin: bytes = b"", **environment: str) -> Done:
    """What these words give as `python -m ingest`."""
    command = [sys.executable, "-m", "ingest", *words]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, env={**os.environ, **environment})
