"""Certificates and the templates that they are rendered from."""

from django.conf import settings
from django.db import models


class CertificateTemplate(models.Model):
    """HTML with `{{ names }}` that a certificate fills."""

    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    content = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self):
        return self.name


class MedicalCertificate(models.Model):
    """One certificate; it keeps its patient from being deleted."""

    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="certificates")
    template = models.ForeignKey(CertificateTemplate, on_delete=models.PROTECT)
    diagnosis = models.TextField()
    recommendations = models.TextField(blank=True)
    valid_from = models.DateField()
    valid_until = models.DateField()
    fitness_status = models.CharField(max_length=20, default="fit")
    approval_status = models.CharField(max_length=20, default="draft")
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="issued_certificates"
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self):
        return f"certificate {self.pk}"
