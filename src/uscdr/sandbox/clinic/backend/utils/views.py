"""Health, mail and the application's own backup book."""

from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone

from authentication.models import User
from notifications.models import GlobalEmailSettings, SystemEmailConfiguration
from patients.models import Patient
from utils import mail
from utils.api import MANAGERS, Refused, api, require
from utils.models import BackupStatus


@api(methods=("GET", "HEAD"), public=True)
def database_opened(request):
    """Healthy when a connection could be opened for the request, whatever is in the database."""
    return {"status": "healthy"}


@api()
def quick(request):
    """The documents call it public; it needs a token."""
    return {"status": "healthy", "timestamp": timezone.now()}


@api(roles=MANAGERS)
def comprehensive(request):
    """Always "warning": it looks for a mail password and a middleware that nothing uses."""
    return {
        "overall_status": "warning",
        "checks": {
            "database": {"status": "healthy", "vendor": connection.vendor},
            "email": {"status": "warning", "message": "EMAIL_HOST_PASSWORD is not set"},
            "rate_limiting": {"status": "warning", "message": "middleware is not installed"},
        },
    }


@api(roles=MANAGERS)
def database_health(request):
    """Report the totals that matter."""
    return {
        "status": "healthy",
        "vendor": connection.vendor,
        "users": User.objects.count(),
        "patients": Patient.objects.count(),
    }


@api(roles=MANAGERS)
def backup_health(request):
    """Report the application's own backup book; it knows nothing of the platform's backups."""
    latest = BackupStatus.objects.filter(status="success").first()
    return {
        "timestamp": timezone.now(),
        "system_health": {
            "backup_system_healthy": bool(latest),
            "last_successful_backup": latest.started_at if latest else None,
        },
        "backup_summary": {"in_progress": BackupStatus.objects.filter(status="in_progress").count()},
        "alert_email": bool(settings.BACKUP_ALERT_EMAIL),
    }


@api(roles=MANAGERS)
def prometheus(request):
    """Return a few gauges as text, without lines that say what they are."""
    waiting = BackupStatus.objects.filter(status="in_progress").count()
    return HttpResponse(f"backup_in_progress_current {waiting}\nutils_up 1\n", content_type="text/plain; version=0.0.4")


@api(roles=MANAGERS)
def email_status(request):
    """Name the mail backend."""
    return {
        "backend": settings.EMAIL_BACKEND,
        "configured": mail.configured(),
        "from_email": settings.DEFAULT_FROM_EMAIL,
    }


@api(methods=("GET", "POST"), roles=MANAGERS)
def email_switch(request):
    """Read or set the master switch, and list the kinds of mail."""
    if request.method == "POST":
        wanted = request.data.get("is_emails_enabled")
        if not isinstance(wanted, bool):
            raise Refused(400, {"is_emails_enabled": ["Must be a valid boolean."]})
        GlobalEmailSettings.objects.update(emails_enabled=wanted, updated_by=request.user)
    kinds = SystemEmailConfiguration.objects.order_by("kind").values("kind", "is_enabled")
    return {"is_emails_enabled": mail.enabled(), "kinds": list(kinds)}


@api(methods=("POST",), roles=MANAGERS)
def email_test(request):
    """Send a test message, or with `dry_run` only say what would be sent."""
    require(request.data, "email")
    address = str(request.data["email"])
    if request.data.get("dry_run") in {True, "true", "True"}:
        return {"dry_run": True, "recipient": address, "backend": settings.EMAIL_BACKEND}
    sent = mail.send(address, "Test message", "Mail works.")
    return {"success": True, "results": {"sent": int(sent), "failed": int(not sent), "recipient": address}}
