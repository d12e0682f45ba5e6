"""The report for machines."""

from __future__ import annotations

from uscdr.report.model import RunReport


def to_json(report: RunReport) -> str:
    """The report as indented JSON, times in ISO 8601, ending in a newline."""
    return report.model_dump_json(indent=2) + "\n"
