"""The own notifications."""

from notifications.models import Notification
from utils.api import api, paged


def as_json(notification):
    """Return one notification."""
    return {
        "id": notification.pk,
        "title": notification.title,
        "message": notification.message,
        "status": notification.status,
        "action_url": notification.action_url,
        "created_at": notification.created_at,
    }


@api()
def notifications(request):
    """List them, a page at a time."""
    return paged(request, Notification.objects.filter(recipient=request.user), as_json)
