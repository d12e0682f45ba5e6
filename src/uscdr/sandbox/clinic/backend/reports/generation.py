"""Makes a requested report, now or in the worker."""

import base64
import logging

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import F
from django.utils import timezone

from reports import contents, formats
from reports.models import GeneratedReport, ReportAnalytics

log = logging.getLogger(__name__)


def generate(report_id, *, patient=None, keep=None):
    """Fill one requested report and mark it COMPLETED; does nothing when it is gone.

    `keep(name, data)` puts the file into the storage and returns the name it has there.
    """
    report = GeneratedReport.objects.select_related("template").filter(pk=report_id).first()
    if report is None:
        return
    header, rows = contents.build(
        report.template.report_type, start=report.date_range_start, end=report.date_range_end, patient=patient
    )
    data = formats.write(report.export_format, report.title, header, rows)
    report.content = base64.b64encode(data).decode()
    name = f"reports/report_{report.pk}.{formats.SUFFIXES[report.export_format]}"
    report.file_path = (keep or store)(name, data)
    report.status = "COMPLETED"
    report.completed_at = timezone.now()
    report.save()
    ReportAnalytics.objects.get_or_create(template=report.template)
    ReportAnalytics.objects.filter(template=report.template).update(
        total_generated=F("total_generated") + 1, last_generated_at=report.completed_at
    )


def store(name, data):
    """Store a report's file; a report whose file could not be stored is whole without it, and names none."""
    try:
        return default_storage.save(name, ContentFile(data))
    except OSError as error:
        log.error("report file was not stored: %s", error)  # noqa: TRY400 - one line is enough in the log stream
        return ""
