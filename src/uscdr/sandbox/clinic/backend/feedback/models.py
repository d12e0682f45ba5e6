"""What patients say after a visit."""

from django.db import models


class Feedback(models.Model):
    """Answers of one patient about one visit, or about the clinic when there is no record."""

    patient = models.ForeignKey("patients.Patient", on_delete=models.CASCADE, related_name="feedback")
    medical_record = models.ForeignKey(
        "patients.MedicalRecord", null=True, blank=True, on_delete=models.SET_NULL, related_name="feedback"
    )
    rating = models.PositiveSmallIntegerField()
    staff_rating = models.PositiveSmallIntegerField(null=True, blank=True)
    comments = models.TextField(blank=True)
    courteous = models.CharField(max_length=3, blank=True)
    recommend = models.CharField(max_length=3, blank=True)
    improvement = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self):
        return f"feedback {self.pk}"
