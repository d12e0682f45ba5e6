"""Stored files: lists, upload and removal, and the download that goes through the file's own address."""

from urllib.request import urlopen

from django.http import HttpResponse, JsonResponse

from file_uploads.models import PatientDocument, UploadedFile
from utils.api import CLINIC, Refused, api, found, paged
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


@api(methods=("GET", "POST"), roles=CLINIC, forms_only=True)
def uploads(request):
    """List the clinic's own files, a page at a time, or store one more."""
    if request.method == "POST":
        return store(request)
    return paged(request, UploadedFile.objects.all(), lambda row: as_json(request, row))


def store(request):
    """Store the form's `file` and answer 201; where the storage refuses it, 500, and no row is left."""
    file = request.FILES.get("file")
    if file is None:
        raise Refused(400, {"detail": "No file provided"})
    if not file.size:
        raise Refused(400, {"detail": "File validation failed", "errors": ["File cannot be empty"]})
    row = UploadedFile.objects.create(
        file=file,
        original_filename=file.name,
        content_type=file.content_type or "",
        file_size=file.size,
        description=request.data.get("description", ""),
        uploaded_by=request.user,
    )
    return JsonResponse(as_json(request, row), status=201)


@api(methods=("GET", "DELETE"), roles=CLINIC)
def upload(request, pk):
    """Return one file, or remove it: its row and what is stored."""
    row = found(UploadedFile.objects, pk=pk)
    if request.method == "DELETE":
        stored = row.file
        row.delete()
        stored.storage.delete(stored.name)
        return HttpResponse(status=204)
    return as_json(request, row)


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
