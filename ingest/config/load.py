"""Loads the settings from one TOML file; this package is the only one that reads the environment.

An unknown key is an error: a setting that is silently ignored is worse than none. Every error is a `Problem` with exit
code 78.
"""

import os
import re
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ingest.config.addresses import broker_addresses, node_urls
from ingest.config.paths import data_folder
from ingest.config.settings import Delivery, Elasticsearch, Kafka, Settings, Workflow
from ingest.core.ids import is_facility
from ingest.core.model import ExitCode, Intake, Problem
from ingest.core.runs.template import Declared
from ingest.core.sources.wrapping.prefixes import PREFIXES
from ingest.core.timestamps import TimestampError, offset_s
from ingest.core.toml_checks import Checks

SETTINGS_FILE = "deploy/settings.example.toml"
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "AWS_MSK_IAM")
WITH_PASSWORD = MECHANISMS[:3]
COMPRESSIONS = ("none", "gzip", "lz4", "snappy", "zstd")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_GROUP = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([^}]*))?\}")


def load_settings(path: Path | None = None) -> Settings:
    """Load settings from `path`, else $PERFLOG_CONFIG, else ./perflog.toml, else the defaults for the local stack."""
    where = path or _default_path()
    try:
        tree = tomllib.loads(where.read_text(encoding="utf-8"))
    except OSError as error:
        raise Problem(
            f"The settings file {where} cannot be read: {error.strerror}.",
            f"Copy {SETTINGS_FILE} there, or name another with --config.",
            ExitCode.CONFIG,
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Problem(
            f"The settings file {where} is not TOML: {error}.", "Correct it there.", ExitCode.CONFIG
        ) from error
    checks = Checks(where)
    return _settings(_expanded(tree, checks, ""), checks)


def _default_path() -> Path:
    named = os.environ.get("PERFLOG_CONFIG")
    if named:
        return Path(named)
    here = Path("perflog.toml")
    return here if here.exists() else data_folder(SETTINGS_FILE)


def _settings(tree: dict[str, Any], checks: Checks) -> Settings:
    known = ("grammars", "kafka", "elasticsearch", "delivery", "intake", "site", "workflow")
    checks.refuse_unknown(tree, known, "")
    intakes = [_intake(raw, checks, n) for n, raw in enumerate(checks.listed_tables(tree, "intake"), 1)]
    delivery = _delivery(checks.read(Delivery, checks.table(tree, "delivery"), "delivery"), checks)
    checks.refuse_double([intake.name for intake in intakes], "intake.name")
    checks.refuse_double([*(intake.topic for intake in intakes), delivery.dead_letter_topic], "intake.topic")
    return Settings(
        path=checks.where,
        grammars=(checks.where.parent / str(tree["grammars"])) if "grammars" in tree else data_folder("grammars"),
        kafka=_kafka(checks.read(Kafka, checks.table(tree, "kafka"), "kafka"), checks),
        elasticsearch=_elasticsearch(tree, checks),
        delivery=delivery,
        intakes={intake.name: intake for intake in intakes},
        sites=_sites(checks.named_tables(tree, "site"), checks),
        workflows={name: _workflow(name, body, checks) for name, body in checks.named_tables(tree, "workflow").items()},
    )


def _kafka(kafka: Kafka, checks: Checks) -> Kafka:
    usual = "takes at most 128 letters, digits, `.`, `_` and `-`"
    checks.demand(_GROUP.fullmatch(kafka.group), "kafka.group", usual)
    checks.demand(kafka.protocol in PROTOCOLS, "kafka.protocol", f"must be one of {', '.join(PROTOCOLS)}")
    if kafka.protocol.startswith("SASL"):
        mechanism = kafka.sasl_mechanism
        names = f"must be one of {', '.join(MECHANISMS)} with the protocol {kafka.protocol}"
        checks.demand(mechanism in MECHANISMS, "kafka.sasl_mechanism", names)
        if mechanism in WITH_PASSWORD:
            checks.demand(kafka.user, "kafka.user", f"is missing: {mechanism} needs it")
            checks.demand(kafka.password is not None, "kafka.password", f"is missing: {mechanism} needs it")
    checks.demand(kafka.compression in COMPRESSIONS, "kafka.compression", f"must be one of {', '.join(COMPRESSIONS)}")
    _check_replication(kafka, checks)
    patient = 0 < kafka.heartbeat_s < kafka.session_timeout_s
    checks.demand(patient, "kafka.heartbeat_s", "must be above 0 and less than session_timeout_s")
    checks.demand(kafka.max_poll_interval_s > 0, "kafka.max_poll_interval_s", "must be above 0")
    return replace(kafka, bootstrap=broker_addresses(kafka.bootstrap, "kafka.bootstrap", checks))


def _elasticsearch(tree: dict[str, Any], checks: Checks) -> Elasticsearch:
    elasticsearch = checks.read(Elasticsearch, checks.table(tree, "elasticsearch"), "elasticsearch")
    return replace(elasticsearch, url=node_urls(elasticsearch.url, "elasticsearch.url", checks))


def _intake(raw: dict[str, Any], checks: Checks, number: int) -> Intake:
    label = f"intake[{raw.get('name', number)}]"
    zone = raw.get("zone")
    zone_s = None if zone is None else _zone_s(zone, f"{label}.zone", checks)
    intake = checks.read(Intake, {**raw, "zone": zone_s}, label)
    checks.demand(is_facility(intake.facility), f"{label}.facility", "takes lower-case letters, digits and `_` only")
    checks.demand(_TOPIC.fullmatch(intake.topic), f"{label}.topic", "is no name for a Kafka topic")
    checks.demand(intake.sources, f"{label}.sources", "names no source")
    checks.demand(intake.max_age_days > 0, f"{label}.max_age_days", "must be above 0")
    checks.demand(intake.prefix in PREFIXES, f"{label}.prefix", f"must be one of {', '.join(PREFIXES)}")
    return intake


def _zone_s(zone: object, label: str, checks: Checks) -> int:
    """Return the seconds east of UTC of `+08:00`, `-0800` or `Z`."""
    try:
        return offset_s(str(zone))
    except TimestampError as error:
        what = f"{checks.where}: `{label}`: {error}."
        raise Problem(
            what, "Write `+08:00`, `-0800` or `Z`; abbreviations mean too many things.", ExitCode.CONFIG
        ) from error


def _check_replication(kafka: Kafka, checks: Checks) -> None:
    factor, in_sync = kafka.replication_factor, kafka.min_insync_replicas
    checks.demand(factor is None or factor > 0, "kafka.replication_factor", "must be above 0")
    checks.demand(in_sync is None or in_sync > 0, "kafka.min_insync_replicas", "must be above 0")
    fits = factor is None or in_sync is None or in_sync <= factor
    checks.demand(fits, "kafka.min_insync_replicas", f"must be at most `kafka.replication_factor`, {factor}")


def _delivery(delivery: Delivery, checks: Checks) -> Delivery:
    for setting in fields(delivery):
        value = getattr(delivery, setting.name)
        checks.demand(isinstance(value, str | bool) or value > 0, f"delivery.{setting.name}", "must be above 0")
    named = _TOPIC.fullmatch(delivery.dead_letter_topic)
    checks.demand(named, "delivery.dead_letter_topic", "is no name for a Kafka topic")
    return delivery


def _sites(tables: dict[str, dict[str, Any]], checks: Checks) -> dict[str, str]:
    sites: dict[str, str] = {}
    for site, body in tables.items():
        label = f"site.{site}.hosts"
        checks.refuse_unknown(body, ("hosts",), f"site.{site}")
        for host in checks.strings(body.get("hosts", []), label):
            checks.demand(host.lower() not in sites, label, f"names {host}, which is another site's already")
            sites[host.lower()] = site
    return sites


def _workflow(name: str, body: dict[str, Any], checks: Checks) -> Workflow:
    label = f"workflow.{name}"
    checks.refuse_unknown(body, ("pairs", *Declared._fields), label)
    return Workflow(_pairs(body.get("pairs", []), f"{label}.pairs", checks), _stages(body, label, checks))


def _pairs(listed: Any, label: str, checks: Checks) -> tuple[tuple[str, str], ...]:
    checks.demand(isinstance(listed, list), label, 'must be a list of pairs of sites, e.g. [["ALS", "NERSC"]]')
    pairs = [checks.strings(pair, label) for pair in listed]
    checks.demand(all(len(pair) == 2 for pair in pairs), label, "must hold two sites in each pair")
    return tuple((a, b) for a, b in pairs)


def _stages(body: dict[str, Any], label: str, checks: Checks) -> Declared:
    listed = body.get("stages", [])
    several = isinstance(listed, list) and any(isinstance(names, list) for names in listed)
    variants = tuple(checks.strings(names, f"{label}.stages") for names in (listed if several else [listed]) if names)
    for stages in variants:
        checks.refuse_double(stages, f"{label}.stages")
    tail = checks.converted(body.get("tail", ""), str, f"{label}.tail")
    ends = not tail or not variants or any(tail in stages for stages in variants)
    checks.demand(ends, f"{label}.tail", f"`{tail}` is none of the stages")
    return Declared(variants, tail, checks.converted(body.get("head"), bool | None, f"{label}.head"))


def _expanded(value: Any, checks: Checks, label: str) -> Any:
    """Replace ${NAME} and ${NAME:default} in all strings of the tree from the environment."""
    if isinstance(value, dict):
        return {key: _expanded(item, checks, f"{label}.{key}" if label else key) for key, item in value.items()}
    if isinstance(value, list):
        return [_expanded(item, checks, label) for item in value]
    if not isinstance(value, str):
        return value

    def replaced(match: re.Match[str]) -> str:
        text = os.environ.get(match[1], match[2])
        checks.demand(text is not None, label, f"needs the environment variable {match[1]}, which is not set")
        return str(text)

    return _ENV.sub(replaced, value)
