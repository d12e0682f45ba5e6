from django.urls import path

from utils import views

urlpatterns = [
    path("health/quick/", views.quick),
    path("health/comprehensive/", views.comprehensive),
    path("database-health/", views.database_health),
    path("backup/health/", views.backup_health),
    path("backup-health/", views.backup_health),
    path("metrics/prometheus/", views.prometheus),
    path("email/status/", views.email_status),
    path("email/config/global/", views.email_switch),
    path("email/test/", views.email_test),
]
