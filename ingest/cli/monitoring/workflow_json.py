"""JSON output of `perflog workflow`; unknown values are null."""

from typing import Any

from ingest.core.analysis.script_changes import ScriptChange
from ingest.core.runs.template import StoredTemplate, Variant
from ingest.core.timestamps import iso


def template_to_json(stored: StoredTemplate) -> dict[str, Any]:
    """Return a template with its variants."""
    template = stored.template
    return {
        "facility": stored.facility,
        "workflow": stored.workflow,
        "version": stored.version,
        "learned": iso(stored.learned_ms),
        "runs": template.runs,
        "from": None if template.first_ms is None else iso(template.first_ms),
        "to": None if template.last_ms is None else iso(template.last_ms),
        "declared": template.declared,
        "variants": [_variant_to_json(variant) for variant in template.variants],
    }


def _variant_to_json(variant: Variant) -> dict[str, Any]:
    return {
        "variant": variant.number,
        "runs": variant.runs,
        "whole": variant.whole,
        "head": variant.head,
        "tail": None if variant.tail is None else variant.tail._asdict(),
        "loose": variant.loose,
        "stages": [stage._asdict() for stage in variant.stages],
    }


def change_to_json(change: ScriptChange) -> dict[str, Any]:
    """Return an edit of a script."""
    return {
        "script": change.script,
        "line_before": change.before,
        "line_after": change.after,
        "since": iso(change.since_ms),
        "at": iso(change.at_ms),
        "moved": change.moved,
    }
