"""The template of a workflow: which stages its runs have, in which order, how long they usually take, how runs end.

The runs of one workflow may differ: a beamline makes previews of one data set and all products of the next. So a
template has variants, each a set of stages in their usual order. Stages are identified by their names as written, from
which family, product and variant follow. A stage that belongs to some variants is not missing from the others.

core/analysis/learning.py learns a template from stored runs, or takes a declared one; completeness.py compares runs
with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ingest.core.timestamps import iso, iso_ms

AT_START, AT_END, AT_RUN_END = "start", "end", "run_end"


class TemplateStage(NamedTuple):
    """A stage of a variant.

    Attributes:
        usual: whether it belongs to every run of the variant; otherwise it is never missing.
        seen_pct: in how many of a hundred runs of the variant it was seen.
        n, kind, median_s, p95_s: number of durations, their kind (exact or upper), their median and P95 in seconds;
            None if none was closed.
    """

    name: str
    usual: bool = True
    seen_pct: int = 0
    n: int = 0
    kind: str = "none"
    median_s: float | None = None
    p95_s: float | None = None


class Tail(NamedTuple):
    """What runs end with: the START or END of a stage (`by` start, end), or the run's own end (run_end; no stage)."""

    stage: str
    by: str


class Variant(NamedTuple):
    """A group of runs with the same stages.

    Attributes:
        number: from 1, the most frequent first.
        stages: in their usual order.
        runs: how many followed it; whole: how many of these had every usual stage.
        head: whether queue and dispatch are usually seen; None: not known.
        tail: None: not known.
        loose: made of runs that match no other variant, so that only stages in nearly all of them are usual.
    """

    number: int
    stages: tuple[TemplateStage, ...]
    runs: int = 0
    whole: int = 0
    head: bool | None = None
    tail: Tail | None = None
    loose: bool = False

    @property
    def names(self) -> frozenset[str]:
        """The names of all stages."""
        return frozenset(stage.name for stage in self.stages)

    @property
    def usual(self) -> tuple[str, ...]:
        """The stages that every run of it goes through, in order."""
        return tuple(stage.name for stage in self.stages if stage.usual)


class Template(NamedTuple):
    """What is known of a workflow's runs.

    Attributes:
        runs: how many it was learned from; first_ms, last_ms: when the first and the last of them began (unix ms).
        declared: whether the stages or the tail were declared in the settings.
    """

    variants: tuple[Variant, ...]
    runs: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    declared: bool = False

    def judges_as(self, other: "Template") -> bool:
        """Whether both templates judge every run alike: they differ in numbers only."""
        return [_rule(variant) for variant in self.variants] == [_rule(variant) for variant in other.variants]


class Declared(NamedTuple):
    """What the settings declare of a workflow; empty values are learned.

    Attributes:
        stages: for each variant its stages, in order.
        tail: the stage that runs end with, in the variants that have it.
        head: whether queue and dispatch are printed.
    """

    stages: tuple[tuple[str, ...], ...] = ()
    tail: str = ""
    head: bool | None = None


class StoredTemplate(NamedTuple):
    """A template with its workflow, its version (from 1; a new one judges differently) and the time it was learned."""

    facility: str
    workflow: str
    version: int
    learned_ms: int
    template: Template


Templates = Mapping[str, StoredTemplate]
"""Workflow -> template, of one facility."""


def _rule(variant: Variant) -> tuple[Any, ...]:
    return variant.names, variant.usual, variant.head, variant.tail, variant.loose


def template_body(stored: StoredTemplate) -> dict[str, Any]:
    """The document of kind workflows."""
    template = stored.template
    fields: dict[str, Any] = {
        "version": stored.version,
        "runs": template.runs,
        "declared": template.declared,
        "variants": len(template.variants),
        "course": [_variant_form(variant) for variant in template.variants],
    }
    for name, ms in (("from", template.first_ms), ("to", template.last_ms)):
        if ms is not None:
            fields[name] = iso(ms)
    perf = {"facility": stored.facility, "workflow": stored.workflow, "template": fields}
    return {"@timestamp": iso(stored.learned_ms), "perf": perf}


def template_in(body: Mapping[str, Any]) -> StoredTemplate:
    """Parse a document of kind workflows."""
    perf = body["perf"]
    fields = perf["template"]
    first, last = (iso_ms(fields[name]) if name in fields else None for name in ("from", "to"))
    variants = tuple(map(_variant_of, fields["course"]))
    template = Template(variants, fields["runs"], first, last, fields["declared"])
    return StoredTemplate(perf["facility"], perf["workflow"], fields["version"], iso_ms(body["@timestamp"]), template)


def templates_of(bodies: Sequence[Mapping[str, Any]]) -> dict[str, StoredTemplate]:
    """The templates of a facility, by workflow."""
    return {stored.workflow: stored for stored in map(template_in, bodies)}


def _variant_form(variant: Variant) -> dict[str, Any]:
    tail = variant.tail._asdict() if variant.tail else None
    return variant._asdict() | {"stages": [stage._asdict() for stage in variant.stages], "tail": tail}


def _variant_of(form: Mapping[str, Any]) -> Variant:
    tail = Tail(**form["tail"]) if form["tail"] else None
    stages = tuple(TemplateStage(**stage) for stage in form["stages"])
    return Variant(**{**form, "stages": stages, "tail": tail})
