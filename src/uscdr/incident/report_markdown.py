"""An incident's report as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.incident.report_sections import sections
from uscdr.report.markdown import grid, literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from uscdr.incident.report import IncidentReport
    from uscdr.incident.report_sections import ReportCell, ReportSection


def incident_markdown(report: IncidentReport) -> str:
    """The whole report, ending in a newline."""
    lines = [f"# {literal(report.title)}", ""]
    for section in sections(report):
        lines += _section(section)
    return "\n".join(lines).rstrip() + "\n"


def _section(section: ReportSection) -> Iterator[str]:
    yield from (f"## {literal(section.title)}", "")
    for line in section.lines:
        yield f"- {literal(line.removeprefix('- '))}" if line.startswith("- ") else literal(line)
    if section.lines:
        yield ""
    for table in section.tables:
        if table.caption:
            yield from (f"**{literal(table.caption)}**", "")
        yield from grid(table.head, ([_cell(cell) for cell in row] for row in table.rows))
        yield ""


def _cell(cell: ReportCell) -> str:
    text = literal(cell.text)
    if cell.tone == "code":
        return f"`{text}`" if text == cell.text else text
    return f"**{text}**" if cell.tone else text
