"""Settings: frozen dataclasses from one TOML file; the only room that reads the environment.

A key that no dataclass here knows is an error: a setting that is silently ignored is worse than none.
May touch: the settings file and the environment. Everything wrong is a `Problem` with exit code 78.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ingest.core.clock import ClockError, offset_s
from ingest.core.ids import is_facility
from ingest.core.model import Intake, Problem

SETTINGS_FILE = "deploy/settings.example.toml"
MIB = 1024 * 1024
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
COMPRESSIONS = ("none", "gzip", "lz4", "snappy", "zstd")
_PACKAGE = Path(__file__).parent
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_GROUP = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([^}]*))?\}")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kafka:
    """How to reach the brokers and as whom; `instance` makes the worker a static member of the group."""

    bootstrap: tuple[str, ...] = ("127.0.0.1:19092",)
    group: str = "perflog"
    instance: str | None = None
    protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    compression: str = "gzip"
    session_timeout_s: float = 45.0
    heartbeat_s: float = 3.0
    max_poll_interval_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Elasticsearch:
    """How to reach the cluster and as whom, and how `setup` shapes the indices it makes templates for."""

    url: tuple[str, ...] = ("http://127.0.0.1:19200",)
    api_key: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_certs: str | None = None
    timeout_s: float = 60.0
    shards: int = 1
    replicas: str = "0-1"
    refresh_interval: str = "5s"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Sizes and patience of ship and run; every size in bytes, every time in seconds."""

    bulk_bytes: int = 5 * MIB
    bulk_documents: int = 2000
    flush_s: float = 1.0
    max_message_bytes: int = 5 * MIB
    retry_first_s: float = 0.2
    retry_most_s: float = 30.0
    dead_letter_topic: str = "perf.deadletter.v1"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a facility chooses. `sites` maps a host to its site, `workflows` a workflow to its pairs of sites."""

    path: Path
    grammars: Path
    kafka: Kafka
    elasticsearch: Elasticsearch
    delivery: Delivery
    intakes: Mapping[str, Intake]
    sites: Mapping[str, str]
    workflows: Mapping[str, tuple[tuple[str, str], ...]]

    def intake(self, name: str) -> Intake:
        """The intake of that name; `Problem` (64) lists those there are."""
        if name not in self.intakes:
            raise Problem(
                f"There is no intake `{name}` in {self.path}.",
                f"Declared are: {', '.join(self.intakes) or 'none'}.",
                64,
            )
        return self.intakes[name]


def home() -> Path:
    """Where perflog keeps what is its own on this machine: $PERFLOG_HOME, else ~/.perflog. It need not exist yet."""
    return Path(os.environ.get("PERFLOG_HOME") or "~/.perflog").expanduser()


def java_home() -> Path | None:
    """The Java that $JAVA_HOME names, if it names one."""
    named = os.environ.get("JAVA_HOME")
    return Path(named) if named else None


def data_folder(name: str) -> Path:
    """A folder or file of data that came with the code: beside ingest/ in a checkout, inside the package in a wheel."""
    inside = _PACKAGE / "_data"
    found = (inside if inside.is_dir() else _PACKAGE.parent) / name
    if not found.exists():
        raise Problem(f"perflog's own data `{name}` is missing at {found}.", "Install perflog-ingest anew.", 70)
    return found


def load(path: Path | None = None) -> Settings:
    """Settings from `path`, else $PERFLOG_CONFIG, else ./perflog.toml, else those that fit the local stack."""
    where = path or _default_path()
    try:
        tree = tomllib.loads(where.read_text(encoding="utf-8"))
    except OSError as error:
        raise Problem(
            f"The settings file {where} cannot be read: {error.strerror}.",
            f"Copy {SETTINGS_FILE} there, or name another with --config.",
            78,
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Problem(f"The settings file {where} is not TOML: {error}.", "Correct it there.", 78) from error
    return _settings(_expanded(tree, where, ""), where)


def _default_path() -> Path:
    named = os.environ.get("PERFLOG_CONFIG")
    if named:
        return Path(named)
    here = Path("perflog.toml")
    return here if here.exists() else data_folder(SETTINGS_FILE)


def _settings(tree: dict[str, Any], where: Path) -> Settings:
    known = ("grammars", "kafka", "elasticsearch", "delivery", "intake", "site", "workflow")
    _refuse_unknown(tree, known, where, "")
    intakes = [_intake(raw, where, i) for i, raw in enumerate(_list_of_tables(tree, where))]
    _refuse_double([i.name for i in intakes], "name", where)
    delivery = _delivery(_read(Delivery, _table(tree, "delivery", where), where, "delivery"), where)
    _refuse_double([*(i.topic for i in intakes), delivery.dead_letter_topic], "topic", where)
    kafka = _read(Kafka, _table(tree, "kafka", where), where, "kafka")
    _demand(_GROUP.fullmatch(kafka.group), where, "kafka.group", "takes at most 128 letters, digits, `.`, `_` and `-`")
    _demand(kafka.protocol in PROTOCOLS, where, "kafka.protocol", f"must be one of {', '.join(PROTOCOLS)}")
    _demand(kafka.compression in COMPRESSIONS, where, "kafka.compression", f"must be one of {', '.join(COMPRESSIONS)}")
    _demand(
        kafka.heartbeat_s < kafka.session_timeout_s, where, "kafka.heartbeat_s", "must be less than session_timeout_s"
    )
    return Settings(
        path=where,
        grammars=(where.parent / str(tree["grammars"])) if "grammars" in tree else data_folder("grammars"),
        kafka=kafka,
        elasticsearch=_read(Elasticsearch, _table(tree, "elasticsearch", where), where, "elasticsearch"),
        delivery=delivery,
        intakes={i.name: i for i in intakes},
        sites=_sites(_table(tree, "site", where), where),
        workflows=_workflows(_table(tree, "workflow", where), where),
    )


def _intake(raw: dict[str, Any], where: Path, position: int) -> Intake:
    label = f"intake[{raw.get('name', position + 1)}]"
    zone = raw.get("zone")
    intake = _read(Intake, {**raw, "zone": None if zone is None else _zone_s(zone, where, label)}, where, label)
    _demand(is_facility(intake.facility), where, f"{label}.facility", "takes lower-case letters, digits and `_` only")
    _demand(_TOPIC.fullmatch(intake.topic), where, f"{label}.topic", "is no name for a Kafka topic")
    _demand(intake.sources, where, f"{label}.sources", "names no source")
    _demand(intake.max_age_days > 0, where, f"{label}.max_age_days", "must be above 0")
    return intake


def _zone_s(zone: object, where: Path, label: str) -> int:
    """Seconds east of UTC of `+08:00`, `-0800` or `Z`."""
    try:
        return offset_s(str(zone))
    except ClockError as error:
        what = f"{where}: `{label}.zone`: {error}."
        raise Problem(what, "Write `+08:00`, `-0800` or `Z`; abbreviations mean too many things.", 78) from error


def _delivery(delivery: Delivery, where: Path) -> Delivery:
    for each in fields(delivery):
        value = getattr(delivery, each.name)
        _demand(isinstance(value, str) or value > 0, where, f"delivery.{each.name}", "must be above 0")
    _demand(
        _TOPIC.fullmatch(delivery.dead_letter_topic),
        where,
        "delivery.dead_letter_topic",
        "is no name for a Kafka topic",
    )
    return delivery


def _sites(table: dict[str, Any], where: Path) -> dict[str, str]:
    sites: dict[str, str] = {}
    for site, body in table.items():
        _refuse_unknown(body, ("hosts",), where, f"site.{site}")
        for host in _converted(body.get("hosts", []), tuple[str, ...], where, f"site.{site}.hosts"):
            _demand(
                host.lower() not in sites, where, f"site.{site}.hosts", f"names {host}, which is another site's already"
            )
            sites[host.lower()] = site
    return sites


def _workflows(table: dict[str, Any], where: Path) -> dict[str, tuple[tuple[str, str], ...]]:
    workflows: dict[str, tuple[tuple[str, str], ...]] = {}
    for name, body in table.items():
        key = f"workflow.{name}.pairs"
        _refuse_unknown(body, ("pairs",), where, f"workflow.{name}")
        pairs = body.get("pairs", [])
        _demand(isinstance(pairs, list), where, key, 'must be a list of pairs of sites, e.g. [["ALS", "NERSC"]]')
        read = [_converted(pair, tuple[str, ...], where, key) for pair in pairs]
        _demand(all(len(pair) == 2 for pair in read), where, key, "must hold two sites in each pair")
        workflows[name] = tuple((a, b) for a, b in read)
    return workflows


# ---- TOML -> dataclass ------------------------------------------------------------------------------------------


def _read(cls: Callable[..., T], raw: dict[str, Any], where: Path, label: str) -> T:
    """A dataclass from its table: every key known, every type right, nothing required left out."""
    known = fields(cls)  # type: ignore[arg-type]
    hints = get_type_hints(cls)
    _refuse_unknown(raw, tuple(each.name for each in known), where, label)
    for each in known:
        required = each.default is MISSING and each.default_factory is MISSING
        _demand(not required or each.name in raw, where, f"{label}.{each.name}", "is missing")
    values = {key: _converted(value, hints[key], where, f"{label}.{key}") for key, value in raw.items()}
    return cls(**values)


def _converted(value: object, kind: Any, where: Path, label: str) -> Any:
    if get_origin(kind) is UnionType:
        if value is None:
            return None
        kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        many = [value] if isinstance(value, str) else value
        fits = isinstance(many, list) and all(isinstance(one, str) for one in many)
        _demand(fits, where, label, "must be a list of strings")
        return tuple(many)  # type: ignore[arg-type]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    _demand(type(value) is kind, where, label, f"must be of type {kind.__name__}, not {type(value).__name__}")
    return value


def _table(tree: dict[str, Any], name: str, where: Path) -> dict[str, Any]:
    table = tree.get(name, {})
    _demand(isinstance(table, dict), where, name, f"must be a table: [{name}]")
    bodies = table.values() if name in ("site", "workflow") else ()
    _demand(all(isinstance(body, dict) for body in bodies), where, name, f"must hold tables: [{name}.NAME]")
    return dict(table)


def _list_of_tables(tree: dict[str, Any], where: Path) -> list[dict[str, Any]]:
    found = tree.get("intake", [])
    fits = isinstance(found, list) and all(isinstance(raw, dict) for raw in found)
    _demand(fits, where, "intake", "must be written as [[intake]], once for each")
    return list(found)


def _expanded(value: Any, where: Path, label: str) -> Any:
    """The same tree with ${NAME} and ${NAME:default} in its strings replaced from the environment."""
    if isinstance(value, dict):
        return {key: _expanded(each, where, f"{label}.{key}" if label else key) for key, each in value.items()}
    if isinstance(value, list):
        return [_expanded(each, where, label) for each in value]
    if not isinstance(value, str):
        return value

    def replaced(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], match[2])
        _demand(found is not None, where, label, f"needs the environment variable {match[1]}, which is not set")
        return str(found)

    return _ENV.sub(replaced, value)


def _refuse_unknown(raw: Mapping[str, Any], known: tuple[str, ...], where: Path, label: str) -> None:
    for key in raw:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"Did you mean `{near[0]}`?" if near else f"Known here are: {', '.join(known)}."
            raise Problem(f"{where}: unknown key `{f'{label}.{key}' if label else key}`.", hint, 78)


def _refuse_double(names: list[str], what: str, where: Path) -> None:
    for name in names:
        _demand(names.count(name) == 1, where, f"intake.{what}", f"`{name}` stands twice; each intake needs its own")


def _demand(holds: object, where: Path, label: str, complaint: str) -> None:
    if not holds:
        raise Problem(f"{where}: `{label}` {complaint}.", "Correct it there.", 78)
