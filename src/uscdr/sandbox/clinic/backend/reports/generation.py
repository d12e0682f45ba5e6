"""Makes a requested report, now or in the worker."""

import base64

from django.db.models import F
from django.utils import timezone

from reports import contents, formats
from reports.models import GeneratedReport, ReportAnalytics


def generate(report_id, *, patient=None):
    """Fill one requested report and mark it COMPLETED; does nothing when it is gone."""
    report = GeneratedReport.objects.select_related("template").filter(pk=report_id).first()
    if report is None:
        return
    header, rows = contents.build(
        report.template.report_type, start=report.date_range_start, end=report.date_range_end, patient=patient
    )
    data = formats.write(report.export_format, report.title, header, rows)
    report.content = base64.b64encode(data).decode()
    report.file_path = f"reports/report_{report.pk}.{formats.SUFFIXES[report.export_format]}"
    report.status = "COMPLETED"
    report.completed_at = timezone.now()
    report.save()
    ReportAnalytics.objects.get_or_create(template=report.template)
    ReportAnalytics.objects.filter(template=report.template).update(
        total_generated=F("total_generated") + 1, last_generated_at=report.completed_at
    )
