"""Report templates, generated reports and their figures."""

from django.conf import settings
from django.db import models


class ReportTemplate(models.Model):
    """One kind of report; rewritten by every release."""

    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    report_type = models.CharField(max_length=50, db_index=True)
    template_content = models.TextField(blank=True)
    supported_formats = models.JSONField(default=list)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["id"]

    def __str__(self):
        return self.name


class GeneratedReport(models.Model):
    """One run of a template; `content` is the file as text, base64 for binary formats."""

    template = models.ForeignKey(ReportTemplate, on_delete=models.CASCADE, related_name="reports")
    title = models.CharField(max_length=200)
    export_format = models.CharField(max_length=10)
    status = models.CharField(max_length=20, default="PENDING", db_index=True)
    date_range_start = models.DateTimeField(null=True, blank=True)
    date_range_end = models.DateTimeField(null=True, blank=True)
    file_path = models.FileField(upload_to="reports/", blank=True)
    content = models.TextField(blank=True)
    error_message = models.TextField(blank=True)
    download_count = models.PositiveIntegerField(default=0)
    generated_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self):
        return self.title


class ReportSchedule(models.Model):
    """When a report is made by itself, and for whom."""

    template = models.ForeignKey(ReportTemplate, on_delete=models.CASCADE)
    frequency = models.CharField(max_length=20)
    recipients = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"schedule {self.pk}"


class ReportBookmark(models.Model):
    """A template that a person wants at hand."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    template = models.ForeignKey(ReportTemplate, on_delete=models.CASCADE)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "template"], name="one_bookmark")]

    def __str__(self):
        return f"bookmark {self.pk}"


class ReportAnalytics(models.Model):
    """How often a template is used."""

    template = models.OneToOneField(ReportTemplate, on_delete=models.CASCADE, related_name="analytics")
    total_generated = models.PositiveIntegerField(default=0)
    last_generated_at = models.DateTimeField(null=True, blank=True)

    def __str__(self):
        return f"analytics {self.pk}"


class ReportMetric(models.Model):
    """A figure inside a report."""

    name = models.CharField(max_length=100)
    value = models.DecimalField(max_digits=18, decimal_places=4)
    report = models.ForeignKey(GeneratedReport, on_delete=models.CASCADE, related_name="metrics")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.name


class ReportChart(models.Model):
    """A chart inside a template."""

    template = models.ForeignKey(ReportTemplate, on_delete=models.CASCADE, related_name="charts")
    title = models.CharField(max_length=100)
    chart_type = models.CharField(max_length=20)
    configuration = models.JSONField(default=dict)

    def __str__(self):
        return self.title
