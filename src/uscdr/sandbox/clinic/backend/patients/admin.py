from django.contrib import admin

from patients.models import Consultation, DentalRecord, MedicalRecord, Patient


@admin.register(Patient)
class PatientAdmin(admin.ModelAdmin):
    list_display = ["id", "last_name", "first_name", "created_at"]
    search_fields = ["last_name", "first_name"]
    raw_id_fields = ["user", "created_by"]


@admin.register(MedicalRecord, DentalRecord, Consultation)
class RecordAdmin(admin.ModelAdmin):
    list_display = ["id", "patient", "created_at"]
    raw_id_fields = ["patient", "created_by"]
