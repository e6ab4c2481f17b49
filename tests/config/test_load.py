"""Settings: what a person may get wrong is said with the key, the file and the remedy; nothing is silently ignored."""

import re
from pathlib import Path

import pytest

from ingest.config.load import SETTINGS_FILE, load_settings
from ingest.config.paths import data_folder
from ingest.config.settings import Delivery, Workflow
from ingest.core.model import Problem
from ingest.core.runs.template import Declared

SASL = "[kafka]\nprotocol = 'SASL_SSL'\nsasl_mechanism = 'PLAIN'\nuser = 'u'\npassword = 'p'\n"
INTAKE = '[[intake]]\nname = "lines"\ntopic = "perf.als.lines.v1"\nfacility = "als"\nsources = ["als_perf"]\n'


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A settings file that does not exist yet."""
    return tmp_path / "perflog.toml"


def refused(path: Path, text: str) -> Problem:
    """The problem that these settings are."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Problem) as caught:
        load_settings(path)
    assert caught.value.exit_code == 78
    return caught.value


def test_the_shipped_settings_fit_the_local_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without any file: the local addresses, both intakes of ALS, both sites, and the pair beside the workflow."""
    for name in ("PERFLOG_CONFIG", "PERFLOG_KAFKA", "PERFLOG_ELASTICSEARCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    settings = load_settings()

    assert settings.kafka.bootstrap == ("127.0.0.1:19092",)
    assert settings.elasticsearch.url == ("http://127.0.0.1:19200",)
    assert settings.intake("als-lines").sources == ("als_perf",)
    assert {"perfsonar", "owping"} <= set(settings.intake("als-results").sources)
    assert settings.sites["perfsonar.nersc.gov"] == "NERSC"
    assert settings.workflows == {"als-tomography": Workflow((("ALS", "NERSC"),))}
    assert (settings.grammars / "fields.toml").is_file()


def test_every_commented_key_of_the_shipped_settings_is_known_and_shows_its_default(tmp_path: Path) -> None:
    """With all comments of [delivery] taken off, the file loads to the very same values."""
    text = data_folder(SETTINGS_FILE).read_text(encoding="utf-8")
    head, rest = text.split("[delivery]\n")
    body, tail = rest.split("\n\n", 1)
    path = tmp_path / "perflog.toml"
    shown = re.sub(r"(?m)^# (\w+ = )", r"\1", body)
    path.write_text(f"{head}[delivery]\n{shown}\n\n{tail}", encoding="utf-8")

    assert load_settings(path).delivery == Delivery()
    assert shown.count("=") == len(Delivery.__slots__)


def test_the_file_is_looked_for_in_the_promised_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An option beats $PERFLOG_CONFIG, which beats ./perflog.toml."""
    for name in ("option", "environment", "perflog"):
        (tmp_path / f"{name}.toml").write_text(f'[kafka]\ngroup = "{name}"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PERFLOG_CONFIG", raising=False)
    here = load_settings().kafka.group
    monkeypatch.setenv("PERFLOG_CONFIG", str(tmp_path / "environment.toml"))

    assert here == "perflog"
    assert load_settings().kafka.group == "environment"
    assert load_settings(tmp_path / "option.toml").kafka.group == "option"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[kafka]\nbootsrap = 'x'\n", ["kafka.bootsrap", "perflog.toml", "`bootstrap`"]),
        ("[elasticserch]\n", ["elasticserch", "`elasticsearch`"]),
        (INTAKE + "max_age = 3\n", ["intake[lines].max_age", "`max_age_days`"]),
        ("[site.ALS]\nhost = ['a']\n", ["site.ALS.host", "`hosts`"]),
        ("[delivery]\nqwertz = 1\n", ["delivery.qwertz", "bulk_bytes"]),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(written: Path, text: str, words: list[str]) -> None:
    """A key that would be silently ignored is an error that tells what was probably meant."""
    problem = refused(written, text)

    assert all(word in str(problem) for word in words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[kafka]\nbootstrap = 9092\n", ["kafka.bootstrap", "list of strings"]),
        ("[delivery]\nbulk_bytes = '5 MiB'\n", ["delivery.bulk_bytes", "int", "str"]),
        ("[delivery]\nbulk_bytes = true\n", ["delivery.bulk_bytes", "int", "bool"]),
        ("[delivery]\nflush_s = 0\n", ["delivery.flush_s", "above 0"]),
        ("[kafka]\nheartbeat_s = 50\n", ["heartbeat_s", "less than session_timeout_s"]),
        ("[kafka]\ngroup = 'a/b'\n", ["kafka.group"]),
        ("[kafka]\nprotocol = 'TLS'\n", ["kafka.protocol", "SASL_SSL"]),
        ("[kafka]\nprotocol = 'SASL_SSL'\n", ["kafka.sasl_mechanism", "PLAIN", "SCRAM-SHA-512"]),
        (SASL.replace("PLAIN'", "MD5'"), ["kafka.sasl_mechanism", "must be one of PLAIN"]),
        (SASL.replace("user = 'u'\n", ""), ["kafka.user", "PLAIN needs it"]),
        (SASL.replace("password = 'p'\n", ""), ["kafka.password", "PLAIN needs it"]),
        ("[kafka]\ncompression = 'zip'\n", ["kafka.compression", "gzip"]),
        ("[kafka]\nreplication_factor = 0\n", ["kafka.replication_factor", "above 0"]),
        ("[kafka]\nmin_insync_replicas = -1\n", ["kafka.min_insync_replicas", "above 0"]),
        ("[kafka]\nreplication_factor = 2\nmin_insync_replicas = 3\n", ["kafka.min_insync_replicas", "at most", "2"]),
        (INTAKE.replace('"als"', '"ALS-1"'), ["intake[lines].facility", "lower-case"]),
        (INTAKE.replace('["als_perf"]', "[]"), ["intake[lines].sources"]),
        (INTAKE.replace('facility = "als"\n', ""), ["intake[lines].facility", "missing"]),
        (INTAKE + 'zone = "PST"\n', ["intake[lines].zone", "+08:00"]),
        (INTAKE + INTAKE.replace('"lines"', '"other"'), ["intake.topic", "perf.als.lines.v1", "twice"]),
        (INTAKE + INTAKE.replace(".v1", ".v2"), ["intake.name", "lines", "twice"]),
        (INTAKE.replace("perf.als.lines.v1", "perf.deadletter.v1"), ["perf.deadletter.v1", "twice"]),
        ("intake = 3\n", ["[[intake]]"]),
        ("[workflow.w]\npairs = [['A', 'B', 'C']]\n", ["workflow.w.pairs", "two sites"]),
        ("[workflow.w]\nstages = [['A'], 'B']\ntail = 'C'\n", ["workflow.w.tail", "`C`", "none of the stages"]),
        ("[workflow.w]\nstages = ['A', 'B', 'A']\n", ["workflow.w.stages", "`A`", "twice"]),
        ("[workflow.w]\nstages = [['A', 1]]\n", ["workflow.w.stages", "list of strings"]),
        ("[workflow.w]\ntail = ['A']\n", ["workflow.w.tail", "of type str"]),
        ("[workflow.w]\nhead = 'yes'\n", ["workflow.w.head", "of type bool"]),
        ("[workflow.w]\nstage = ['A']\n", ["workflow.w.stage", "Did you mean `stages`"]),
        ("[site.A]\nhosts = ['h']\n[site.B]\nhosts = ['H']\n", ["site.B.hosts", "H"]),
        ("[kafka\n", ["not TOML"]),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_what_would_be_right(
    written: Path, text: str, words: list[str]
) -> None:
    """One sentence with file, key and complaint for each way to be wrong."""
    problem = refused(written, text)

    assert str(written) in str(problem)
    assert all(word in str(problem) for word in words), str(problem)


@pytest.mark.parametrize(
    ("body", "declared"),
    [
        ("stages = ['A', 'B']", Declared((("A", "B"),))),
        ("stages = [['A', 'B'], ['A', 'C']]\ntail = 'B'", Declared((("A", "B"), ("A", "C")), "B")),
        ("tail = 'Z'\nhead = false", Declared((), "Z", False)),
        ("pairs = [['A', 'B']]", Declared()),
    ],
)
def test_stages_of_a_workflow_may_be_declared(written: Path, body: str, declared: Declared) -> None:
    """One list is one variant, several lists are several; of a workflow of which nothing is said nothing is."""
    written.write_text(f"[workflow.w]\n{body}\n")

    assert load_settings(written).workflow("w").declared == declared


def test_a_missing_file_names_itself_and_the_example(tmp_path: Path) -> None:
    """A path that was asked for and is not there is an error, never a silent default."""
    with pytest.raises(Problem, match=r"nowhere\.toml") as caught:
        load_settings(tmp_path / "nowhere.toml")

    assert "settings.example.toml" in caught.value.remedy


def test_environment_variables_are_put_into_strings(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """${NAME} and ${NAME:default}, anywhere in a string, also in lists; an empty default is one."""
    monkeypatch.setenv("BROKER", "kafka.example.org")
    monkeypatch.delenv("PORT", raising=False)
    written.write_text(
        "[kafka]\nbootstrap = ['${BROKER}:${PORT:9092}']\nuser = '${PORT:}'\n[elasticsearch]\nurl = 'http://${BROKER}:1'\n"
    )

    settings = load_settings(written)

    assert settings.kafka.bootstrap == ("kafka.example.org:9092",)
    assert settings.kafka.user == ""
    assert settings.elasticsearch.url == ("http://kafka.example.org:1",)


def test_a_variable_that_is_not_set_is_named_with_its_key(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Better no start than an empty password."""
    monkeypatch.delenv("SECRET", raising=False)

    problem = refused(written, "[kafka]\npassword = '${SECRET}'\n")

    assert "SECRET" in problem.message
    assert "kafka.password" in problem.message


@pytest.mark.parametrize(
    ("zone", "seconds"), [("+08:00", 28_800), ("-0800", -28_800), ("Z", 0), ("+05:30", 19_800), (None, None)]
)
def test_a_zone_is_an_offset_from_utc(written: Path, zone: str | None, seconds: int | None) -> None:
    """Written as people write offsets, kept in seconds; unset stays unset."""
    written.write_text(INTAKE + (f'zone = "{zone}"\n' if zone else ""))

    assert load_settings(written).intake("lines").zone == seconds


def test_an_intake_declares_its_forwarders_wrapper(written: Path) -> None:
    """Messages are bare unless it says otherwise."""
    written.write_text(INTAKE + 'wrapper = "filebeat"\n' + INTAKE.replace("lines", "bare"))

    assert load_settings(written).intake("lines").wrapper == "filebeat"
    assert load_settings(written).intake("bare").wrapper == "none"


def test_an_intake_declares_the_prefix_of_its_lines(written: Path) -> None:
    """None unless it says otherwise; a prefix that does not exist is an error that names those that do."""
    written.write_text(INTAKE + 'prefix = "syslog"\n' + INTAKE.replace("lines", "bare"))

    assert load_settings(written).intake("lines").prefix == "syslog"
    assert load_settings(written).intake("bare").prefix == "none"

    written.write_text(INTAKE + 'prefix = "journal"\n')
    with pytest.raises(Problem, match="must be one of none, syslog") as caught:
        load_settings(written)
    assert caught.value.exit_code == 78


def test_hosts_are_known_in_lower_case_and_grammars_lie_beside_the_file(written: Path) -> None:
    """Host names have no case; a relative folder is relative to the settings, not to where one happens to stand."""
    written.write_text("grammars = 'mine'\n[site.ALS]\nhosts = ['PS.LBL.gov']\n")

    settings = load_settings(written)

    assert settings.sites == {"ps.lbl.gov": "ALS"}
    assert settings.grammars == written.parent / "mine"


def test_an_intake_that_is_not_declared_lists_those_that_are(written: Path) -> None:
    """A typing error on the command line: usage, and what there is."""
    written.write_text(INTAKE)

    with pytest.raises(Problem, match="lnes") as caught:
        load_settings(written).intake("lnes")

    assert caught.value.exit_code == 64
    assert "lines" in caught.value.remedy


def test_secrets_are_not_shown(written: Path) -> None:
    """A settings object in a traceback or a log line must not tell passwords."""
    written.write_text("[kafka]\npassword = 'hunter2'\n[elasticsearch]\napi_key = 'hunter3'\npassword = 'hunter4'\n")

    assert "hunter" not in repr(load_settings(written))
