"""An incident's report as one page that loads nothing from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.incident.pictures import notices_picture, steps_picture
from uscdr.incident.report_sections import sections
from uscdr.pages.rendering import rendered

if TYPE_CHECKING:
    from uscdr.incident.report import IncidentReport
    from uscdr.incident.report_sections import ReportSection
    from uscdr.pages.drawing import Drawing

_KEYS = {
    "steps": "A frame is the budget of a phase; a filled bar is the time that it took, or a step took. A budget that "
    "was not kept is named OVER.",
    "notices": "◇ by when the notice was due; ● when people were told; ✕ never told. The verdict stands in words.",
}


def incident_page(report: IncidentReport) -> str:
    """The whole document; every value is escaped."""
    shown = [(one, _picture(report, one), _KEYS.get(one.picture, "")) for one in sections(report)]
    return rendered("incident_report", title=report.title, report=report, sections=shown)


def _picture(report: IncidentReport, section: ReportSection) -> Drawing | None:
    if section.picture == "steps":
        return steps_picture(report.recoveries[section.number])
    return notices_picture(report) if section.picture == "notices" else None
