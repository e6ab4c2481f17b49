"""The two sizes of the suite: small enough for every run of the tests, and large enough to be believed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How many lines, and how long the workers' waits are (the system's are the defaults of the settings).

    Attributes:
        lines: messages of each fault.
        bound_s: the most that anything in a fault may take before it counts as hanging.
        kills: how many workers are killed at random moments, in `lanes` groups beside one another.
        changes: how often workers join or leave, each staying `change_s`.
        outage_s: how long a server stays away.
        waiting_lines: how many lines wait while Elasticsearch is away and memory is looked at.
        away_s: how long that is.
        most_requests: after a fault, as a multiple of those for the same lines undisturbed.
    """

    name: str
    lines: int
    session_timeout_s: float
    heartbeat_s: float
    max_poll_interval_s: float
    timeout_s: float
    retry_most_s: float
    bulk_documents: int
    bound_s: float
    kills: int
    lanes: int
    changes: int
    change_s: float
    outage_s: float
    waiting_lines: int
    away_s: float
    most_requests: float


QUICK = Size(
    name="quick",
    lines=20_000,
    session_timeout_s=2.0,
    heartbeat_s=0.3,
    max_poll_interval_s=20.0,
    timeout_s=5.0,
    retry_most_s=0.2,
    bulk_documents=1000,
    bound_s=120.0,
    kills=52,
    lanes=4,
    changes=6,
    change_s=0.5,
    outage_s=0.5,
    waiting_lines=40_000,
    away_s=3.0,
    most_requests=1.5,
)
SYSTEM = Size(
    name="system",
    lines=200_000,
    session_timeout_s=45.0,
    heartbeat_s=3.0,
    max_poll_interval_s=300.0,
    timeout_s=60.0,
    retry_most_s=30.0,
    bulk_documents=2000,
    bound_s=600.0,
    kills=50,
    lanes=2,
    changes=20,
    change_s=3.0,
    outage_s=20.0,
    waiting_lines=1_000_000,
    away_s=120.0,
    most_requests=1.25,
)
