"""An incident's report as Markdown, or as one page that loads nothing from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.incident.report_sections import sections
from uscdr.report.markdown import grid, literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from uscdr.incident.report import IncidentReport
    from uscdr.incident.report_sections import ReportCell, ReportSection
    from uscdr.pages.drawing import Drawing

_KEYS = {
    "steps": "A frame is the budget of a phase; a filled bar is the time that it took, or a step took. A budget that "
    "was not kept is named OVER.",
    "notices": "◇ by when the notice was due; ● when people were told; ✕ never told. The verdict stands in words.",
}


def incident_page(report: IncidentReport) -> str:
    """The whole document; every value is escaped."""
    from uscdr.pages.rendering import rendered  # Jinja is loaded for a page only

    shown = [(one, _picture(report, one), _KEYS.get(one.picture, "")) for one in sections(report)]
    return rendered("incident_report", title=report.title, report=report, sections=shown)


def _picture(report: IncidentReport, section: ReportSection) -> Drawing | None:
    from uscdr.incident.pictures import notices_picture, steps_picture

    if section.picture == "steps":
        return steps_picture(report.recoveries[section.number])
    return notices_picture(report) if section.picture == "notices" else None


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
