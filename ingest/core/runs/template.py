"""The template of a workflow: which stages its runs go through, in order, how long each usually takes, how runs end.

The runs of one workflow need not be alike: a beamline makes previews of one data set and everything of the next. So a
template holds variants, each a set of stages with their usual order. Stages are known by their names as written, from
which family, product and variant follow. A stage that stands in some variants only is missing in none of the others.

core/analysis/learning.py learns a template from stored runs, or takes what a person declares; completeness.py holds
runs against it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ingest.core.timestamps import iso, iso_ms

AT_START, AT_END, AT_RUN_END = "start", "end", "run_end"


class TemplateStage(NamedTuple):
    """A stage of a variant.

    Attributes:
        usual: whether it belongs to every run of the variant; where not, it is never missing.
        seen_pct: in how many of a hundred runs of the variant it was seen.
        n, kind, median_s, p95_s: of how many durations, of which kind (exact or upper), their median and P95 in
            seconds; None where none was closed.
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
    """Runs of the same stages.

    Attributes:
        number: from 1, the most frequent first.
        stages: in their usual order.
        runs: how many followed it; whole: how many of these had each usual stage.
        head: whether queue and dispatch are usually seen; None: not known.
        tail: None: not known.
        loose: made of runs that are like no other, so that only what nearly all of them have is usual.
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
        """All stages."""
        return frozenset(stage.name for stage in self.stages)

    @property
    def usual(self) -> tuple[str, ...]:
        """The stages that each of its runs goes through, in order."""
        return tuple(stage.name for stage in self.stages if stage.usual)


class Template(NamedTuple):
    """What is known of a workflow's runs.

    Attributes:
        runs: how many it was learned from; first_ms, last_ms: when the first and the last of them began (unix ms).
        declared: whether a person said which stages, or which tail, there are.
    """

    variants: tuple[Variant, ...]
    runs: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    declared: bool = False

    def judges_as(self, other: "Template") -> bool:
        """Whether every run is as complete by the one as by the other: they differ in numbers only."""
        return [_rule(variant) for variant in self.variants] == [_rule(variant) for variant in other.variants]


class Declared(NamedTuple):
    """What a person says of a workflow; what is empty is learned.

    Attributes:
        stages: for each variant its stages, in order.
        tail: the stage that runs end with, in those variants that have it.
        head: whether queue and dispatch are printed.
    """

    stages: tuple[tuple[str, ...], ...] = ()
    tail: str = ""
    head: bool | None = None


class StoredTemplate(NamedTuple):
    """A template as it is kept: whose, its version (from 1; another one judges otherwise), when it was learned."""

    facility: str
    workflow: str
    version: int
    learned_ms: int
    template: Template


Templates = Mapping[str, StoredTemplate]
"""Workflow -> its template, of one facility."""


def _rule(variant: Variant) -> tuple[Any, ...]:
    return variant.names, variant.usual, variant.head, variant.tail, variant.loose


def template_body(found: StoredTemplate) -> dict[str, Any]:
    """The document of kind workflows."""
    template = found.template
    told: dict[str, Any] = {
        "version": found.version,
        "runs": template.runs,
        "declared": template.declared,
        "variants": len(template.variants),
        "course": [_variant_form(variant) for variant in template.variants],
    }
    for name, ms in (("from", template.first_ms), ("to", template.last_ms)):
        if ms is not None:
            told[name] = iso(ms)
    perf = {"facility": found.facility, "workflow": found.workflow, "template": told}
    return {"@timestamp": iso(found.learned_ms), "perf": perf}


def template_in(body: Mapping[str, Any]) -> StoredTemplate:
    """The template in a document of kind workflows."""
    perf = body["perf"]
    told = perf["template"]
    first, last = (iso_ms(told[name]) if name in told else None for name in ("from", "to"))
    variants = tuple(map(_variant_of, told["course"]))
    template = Template(variants, told["runs"], first, last, told["declared"])
    return StoredTemplate(perf["facility"], perf["workflow"], told["version"], iso_ms(body["@timestamp"]), template)


def templates_of(bodies: Sequence[Mapping[str, Any]]) -> dict[str, StoredTemplate]:
    """The templates of a facility, by workflow."""
    return {found.workflow: found for found in map(template_in, bodies)}


def _variant_form(variant: Variant) -> dict[str, Any]:
    tail = variant.tail._asdict() if variant.tail else None
    return variant._asdict() | {"stages": [stage._asdict() for stage in variant.stages], "tail": tail}


def _variant_of(form: Mapping[str, Any]) -> Variant:
    tail = Tail(**form["tail"]) if form["tail"] else None
    stages = tuple(TemplateStage(**stage) for stage in form["stages"])
    return Variant(**{**form, "stages": stages, "tail": tail})
