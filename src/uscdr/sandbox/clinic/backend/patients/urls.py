from django.urls import path

from patients import views

urlpatterns = [
    path("patients/", views.patients),
    path("patients/<int:pk>/", views.patient),
    path("medical-records/", views.medical_records),
    path("dental-records/", views.dental_records),
    path("consultations/", views.consultations),
    path("dashboard-stats/", views.dashboard_stats),
]
