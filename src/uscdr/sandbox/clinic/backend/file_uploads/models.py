"""Files kept for staff and for patients; the columns hold storage names."""

from django.conf import settings
from django.db import models


class UploadedFile(models.Model):
    """A file of the clinic itself."""

    file = models.FileField(upload_to="uploads/")
    original_filename = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100, blank=True)
    file_size = models.PositiveBigIntegerField(default=0)
    description = models.TextField(blank=True)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self):
        return f"file {self.pk}"


class PatientDocument(models.Model):
    """A document about one patient."""

    patient = models.ForeignKey("patients.Patient", on_delete=models.CASCADE, related_name="files")
    file = models.FileField(upload_to="patient_documents/")
    original_filename = models.CharField(max_length=255)
    document_type = models.CharField(max_length=50)
    content_type = models.CharField(max_length=100, blank=True)
    file_size = models.PositiveBigIntegerField(default=0)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self):
        return f"document {self.pk}"
