"""`perflog` as a user calls it: words in, an exit code and two streams out.

`perflog` runs the same entry point inside this process, because a new process costs more than most answers.
`process` starts a new one, for tests of its time zone, its children or its installed name.
"""

import os
import subprocess
import sys
from unittest.mock import patch

from click.testing import CliRunner

from ingest.cli.main import main

# Three lines of a host whose clock shows the time of Manila and names California's zone; and the finding about them.
SHIFTED = "".join(
    f"2016-02-05T21:39:{at_s + late_s}.000-08:00: s.sh:{n}:1-2:PERF:SUBMIT_NORM"
    f":START_DATE={1_454_679_540 + at_s}000:HOST=node7\n"
    for n, (at_s, late_s) in enumerate([(17, 0), (24, 7), (40, 1)])
).encode()
SHIFTED_WORDS = "3 lines stamped -08:00 are 57,600 s ahead; mended, their emission lag is 0 to 7 s"
SHIFTED_FAULT = {
    "host": "node7", "shift_s": 57_600, "lines": 3, "failed": 3, "zone": "-08:00", "first": "-:1",
    "least_lag_s": 0, "most_lag_s": 7,
}  # fmt: skip

Done = subprocess.CompletedProcess[bytes]


def perflog(*words: str, stdin: bytes = b"") -> Done:
    """Run `perflog` with these words in this process."""
    code: object = None
    with CliRunner().isolation(input=stdin) as (out, err, _), patch.object(sys, "argv", ["perflog", *words]):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int), "it ends by an exit code"
    return Done(list(words), code, out.getvalue(), err.getvalue())


def process(*words: str, stdin: bytes = b"", **environment: str) -> Done:
    """Run `python -m ingest` with these words."""
    command = [sys.executable, "-m", "ingest", *words]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, env={**os.environ, **environment})
