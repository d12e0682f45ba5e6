"""Lists of stored files, and the download that goes through the file's own address."""

from urllib.request import urlopen

from django.http import HttpResponse

from file_uploads.models import PatientDocument, UploadedFile
from utils.api import CLINIC, api, found
from utils.storage import address


def as_json(request, row):
    """Return one file."""
    return {
        "id": row.pk,
        "original_filename": row.original_filename,
        "content_type": row.content_type,
        "file_size": row.file_size,
        "file": address(request, row.file),
        "created_at": row.created_at,
    }


@api(roles=CLINIC)
def uploads(request):
    """List the clinic's own files."""
    return [as_json(request, row) for row in UploadedFile.objects.all()]


@api()
def documents(request):
    """List patients' documents; others than staff see their own."""
    rows = PatientDocument.objects.all()
    if request.user.role not in CLINIC:
        rows = rows.filter(patient__user=request.user)
    return [{**as_json(request, row), "patient": row.patient_id} for row in rows]


@api(roles=CLINIC)
def download(request, pk):
    """Fetch the file from its address; on local storage that is a path, and this answers 500."""
    row = found(PatientDocument.objects, pk=pk)
    with urlopen(row.file.url, timeout=10) as answer:  # noqa: S310 - the address is the storage's own
        return HttpResponse(answer.read(), content_type=row.content_type or "application/octet-stream")
