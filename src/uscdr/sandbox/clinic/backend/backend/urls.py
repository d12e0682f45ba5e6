"""Every address of the clinic."""

from django.contrib import admin
from django.urls import include, path, re_path

from backend import views
from utils.views import database_opened

urlpatterns = [
    path("health", views.process_health),
    path("health/", views.process_health),
    path("api/health", views.process_health),
    path("api/health/", database_opened),
    path("admin/", admin.site.urls),
    path("api/auth/", include("authentication.urls")),
    path("api/patients/", include("patients.urls")),
    path("api/health-info/", include("health_info.urls")),
    path("api/feedback/", include("feedback.urls")),
    path("api/files/", include("file_uploads.urls")),
    path("api/medical-certificates/", include("medical_certificates.urls")),
    path("api/notifications/", include("notifications.urls")),
    path("api/reports/", include("reports.urls")),
    path("api/utils/", include("utils.urls")),
    re_path(r"^api/(?P<path>.*)$", views.unknown_api),
    path("static/<path:path>", views.static),
    path("media/<path:path>", views.media),
    re_path(r"^(?P<path>.*)$", views.home),
]
