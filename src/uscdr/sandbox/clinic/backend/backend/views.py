"""The home page, static files (the client's build among them) and media files, and the health of the process alone."""

import mimetypes

from django.conf import settings
from django.contrib.staticfiles import finders
from django.db.transaction import non_atomic_requests
from django.http import FileResponse, Http404, HttpResponse, JsonResponse
from django.utils._os import safe_join
from django.views.static import serve


@non_atomic_requests
def process_health(request):
    """200 as long as this process runs: no connection to the database is opened."""
    return JsonResponse({"status": "healthy"})


def unknown_api(request, path):
    """Say in JSON that there is no such endpoint."""
    return JsonResponse({"detail": "Not found."}, status=404)


def home(request, path=""):
    """Return the page of the client; its routes are its own, so that every path gets it."""
    page = settings.FRONTEND_DIST / "index.html"
    return HttpResponse(page.read_bytes())


@non_atomic_requests
def static(request, path):
    """Return a collected static file, or the source of one that was not collected yet."""
    collected = safe_join(settings.STATIC_ROOT, path)
    found = finders.find(path)
    for name in (collected, found):
        if name:
            try:
                return FileResponse(open(name, "rb"), content_type=mimetypes.guess_type(name)[0])  # noqa: PTH123 - the response closes it
            except OSError:
                continue
    raise Http404


@non_atomic_requests
def media(request, path):
    """Return a file of this dyno's own disk, which the next restart empties."""
    return serve(request, path, document_root=settings.MEDIA_ROOT)
