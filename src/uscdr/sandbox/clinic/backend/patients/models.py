"""Patients and what the clinic recorded about them."""

from django.conf import settings
from django.db import models


class Recorded(models.Model):
    """When a row was made and changed, and who made it."""

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class Patient(Recorded):
    """One person; `user` is the account, which clinic staff may hold too."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="patient"
    )
    first_name = models.CharField(max_length=150)
    last_name = models.CharField(max_length=150)
    first_name_enc = models.BinaryField(null=True)
    last_name_enc = models.BinaryField(null=True)
    date_of_birth = models.DateField(null=True, blank=True)
    gender = models.CharField(max_length=20, blank=True)
    email = models.EmailField(blank=True)
    phone_number = models.CharField(max_length=30, blank=True)
    address = models.TextField(blank=True)

    ENCRYPTED = ("first_name", "last_name")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["last_name", "first_name"], name="patient_name")]

    def __str__(self):
        return f"patient {self.pk}"


class MedicalRecord(Recorded):
    """One visit to the physician."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="medical_records")
    visit_date = models.DateField()
    diagnosis = models.TextField(blank=True)
    diagnosis_enc = models.BinaryField(null=True)
    treatment = models.TextField(blank=True)
    notes = models.TextField(blank=True)
    vital_signs = models.JSONField(default=dict, blank=True)
    laboratory_results = models.JSONField(default=dict, blank=True)

    REQUIRED = ("visit_date", "diagnosis")
    ENCRYPTED = ("diagnosis",)

    class Meta:
        ordering = ["-visit_date", "-id"]

    def __str__(self):
        return f"medical record {self.pk}"


class DentalRecord(Recorded):
    """One dental visit; the three lists hold URLs of stored files."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="dental_records")
    visit_date = models.DateField()
    procedure = models.CharField(max_length=100)
    diagnosis = models.TextField(blank=True)
    treatment = models.TextField(blank=True)
    tooth_numbers = models.CharField(max_length=100, blank=True)
    xray_images = models.JSONField(default=list, blank=True)
    photos = models.JSONField(default=list, blank=True)
    documents = models.JSONField(default=list, blank=True)
    cost = models.DecimalField(max_digits=10, decimal_places=2, null=True, blank=True)

    REQUIRED = ("visit_date", "procedure")

    class Meta:
        ordering = ["-visit_date", "-id"]

    def __str__(self):
        return f"dental record {self.pk}"


class Consultation(Recorded):
    """One conversation with a patient, without a full examination."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="consultations")
    date_time = models.DateTimeField()
    chief_complaints = models.TextField()
    treatment_plan = models.TextField(blank=True)
    remarks = models.TextField(blank=True)

    REQUIRED = ("date_time", "chief_complaints")

    class Meta:
        ordering = ["-date_time", "-id"]

    def __str__(self):
        return f"consultation {self.pk}"
