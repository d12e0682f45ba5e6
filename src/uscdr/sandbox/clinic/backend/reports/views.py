"""Report templates, making a report, and fetching it."""

import base64
from datetime import datetime, time

from django.db.models import F
from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from reports import formats, generation
from reports.models import GeneratedReport, ReportTemplate
from utils import jobs
from utils.api import CLINIC, Refused, api, found, paged, require


def template_json(template):
    """Return one template."""
    return {
        "id": template.pk,
        "name": template.name,
        "report_type": template.report_type,
        "supported_formats": template.supported_formats,
    }


def report_json(report):
    """Return one report without its content."""
    return {
        "id": report.pk,
        "template": report.template_id,
        "title": report.title,
        "export_format": report.export_format,
        "status": report.status,
        "download_count": report.download_count,
        "created_at": report.created_at,
        "completed_at": report.completed_at,
    }


@api(roles=CLINIC)
def templates(request):
    """List the templates."""
    return paged(request, ReportTemplate.objects.filter(is_active=True), template_json)


@api(roles=CLINIC)
def generated(request):
    """List the reports."""
    return paged(request, GeneratedReport.objects.all(), report_json)


@api(methods=("GET", "DELETE"), roles=CLINIC)
def report(request, pk):
    """Return one report, or remove it."""
    row = found(GeneratedReport.objects, pk=pk)
    if request.method == "DELETE":
        file = row.file_path
        row.delete()
        if file:
            file.storage.delete(file.name)
        return HttpResponse(status=204)
    return report_json(row)


@api(methods=("POST",), roles=CLINIC)
def generate(request, pk):
    """Ask for a report; the 202 says PENDING even when `sync=true` has made it already."""
    template = found(ReportTemplate.objects, pk=pk)
    data = request.data
    require(data, "template_id", "title", "export_format")
    if data["export_format"] not in formats.TYPES:
        raise Refused(400, {"export_format": [f'"{data["export_format"]}" is not a valid choice.']})
    row = GeneratedReport.objects.create(
        template=template,
        title=data["title"],
        export_format=data["export_format"],
        date_range_start=moment(data.get("date_range_start")),
        date_range_end=moment(data.get("date_range_end")),
        generated_by=request.user,
    )
    start(row, patient=patient_of(data), now=request.GET.get("sync") == "true")
    return JsonResponse({"report_id": row.pk, "status": "PENDING", "message": "Report generation started"}, status=202)


def start(row, *, patient, now):
    """Make the report now, or leave it to the worker."""
    if now:
        generation.generate(row.pk, patient=patient)
    else:
        jobs.enqueue("generate_report", report=row.pk, patient=patient)


def moment(text):
    """Read a date or a time; nothing means no limit."""
    if not text:
        return None
    try:
        value = parse_datetime(str(text)) or datetime.combine(parse_date(str(text)), time())
    except (TypeError, ValueError) as error:
        raise Refused(400, {"date_range": ["Enter a valid date."]}) from error
    return value if timezone.is_aware(value) else timezone.make_aware(value)


def patient_of(data):
    """Return the one patient asked for, if any, by key."""
    filters = data.get("filters")
    text = str(data.get("patient_id") or (filters.get("patient_id", "") if isinstance(filters, dict) else ""))
    return int(text) if text.isdecimal() else None


@api(roles=CLINIC)
def download(request, pk):
    """Return the bytes of a report, and count the download."""
    row = found(GeneratedReport.objects, pk=pk)
    if row.status != "COMPLETED" or not row.content:
        raise Refused(404, {"detail": "The report has no file."})
    GeneratedReport.objects.filter(pk=pk).update(download_count=F("download_count") + 1)
    answer = HttpResponse(base64.b64decode(row.content), content_type=formats.TYPES[row.export_format])
    suffix = formats.SUFFIXES[row.export_format]
    answer["Content-Disposition"] = f'attachment; filename="report_{row.pk}.{suffix}"'
    return answer
