"""Which line of a server's log is quoted when it does not come up."""

from pathlib import Path

import pytest

from ingest.edge.local.service import last_telling_line

_KAFKA = """\
[2026-11-22T14:50:31][INFO ][k.s.BrokerServer] starting
[2026-11-22T14:50:32][ERROR][k.Kafka$] Exiting Kafka due to fatal exception
java.lang.RuntimeException: Stored node id 7 doesn't match previous node id 1
\tat kafka.server.KafkaServer.main(KafkaServer.java:1)
[2026-11-22T14:50:33][INFO ][k.s.BrokerServer] shut down
"""
_ELASTICSEARCH = """\
org.elasticsearch.ElasticsearchException: failed to bind service
\tat org.elasticsearch.node.Node.<init>(Node.java:12)
Caused by: java.io.IOException: No space left on device
\t... 7 more
"""
_BEHIND_A_HEAD = """\
[2026-11-30T20:04:37,885][WARN ][stderr] java.lang.IllegalStateException: failed to obtain node locks
[2026-11-30T20:04:37,885][WARN ][stderr] \tat org.elasticsearch.node.Node.<init>(Node.java:12)
[2026-11-30T20:04:37,885][WARN ][stderr] Caused by: java.io.IOException: Mount point not found
[2026-11-30T20:04:37,885][WARN ][stderr] \tat java.base/sun.nio.fs.UnixException.rethrow(UnixException.java:90)
[2026-11-30T20:04:37,885][WARN ][stderr] \t... 7 more
"""


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (_KAFKA, "java.lang.RuntimeException: Stored node id 7 doesn't match previous node id 1"),
        (_ELASTICSEARCH, "Caused by: java.io.IOException: No space left on device"),
        (
            _BEHIND_A_HEAD,
            "[2026-11-30T20:04:37,885][WARN ][stderr] Caused by: java.io.IOException: Mount point not found",
        ),
        ("Unrecognized option: -Xfoo\n\n", "Unrecognized option: -Xfoo"),
        ("WARNING: a method in sun.misc.Unsafe has been called\nstarting\n", "starting"),
        ("", ""),
    ],
)
def test_the_cause_is_quoted_before_an_error_before_the_last_line(tmp_path: Path, log: str, line: str) -> None:
    """What follows an error in the log is clean-up; stack frames and the JVM's own warnings tell nobody anything."""
    (tmp_path / "log").write_text(log)

    assert last_telling_line(tmp_path / "log") == line


def test_a_log_that_was_never_written_has_no_line(tmp_path: Path) -> None:
    """The server may have died before its first word."""
    assert last_telling_line(tmp_path / "absent") == ""
