"""The application's own backup book, health figures, and background jobs."""

from django.db import models


class BackupStatus(models.Model):
    """One backup made by the application itself; its file died with the dyno."""

    backup_type = models.CharField(max_length=20)
    status = models.CharField(max_length=20, default="pending", db_index=True)
    started_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    file_size = models.BigIntegerField(null=True, blank=True)
    checksum = models.CharField(max_length=128, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    error_message = models.TextField(blank=True)

    class Meta:
        ordering = ["-started_at", "-id"]

    def __str__(self):
        return f"{self.backup_type} {self.status}"


class BackupSchedule(models.Model):
    """When a backup was meant to run; nothing executes it."""

    backup_type = models.CharField(max_length=20)
    schedule_type = models.CharField(max_length=20)
    schedule_time = models.TimeField()
    retention_days = models.PositiveSmallIntegerField(default=7)
    is_active = models.BooleanField(default=True)

    def __str__(self):
        return f"{self.backup_type} {self.schedule_type}"


class SystemHealthMetric(models.Model):
    """One measurement of the running system."""

    metric_type = models.CharField(max_length=50)
    value = models.FloatField()
    unit = models.CharField(max_length=20, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.metric_type


class Job(models.Model):
    """Work for the background worker; the row goes when the work is done."""

    kind = models.CharField(max_length=50)
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"{self.kind} {self.pk}"


class WorkerHeartbeat(models.Model):
    """The last sign of life of each background process."""

    name = models.CharField(max_length=50, unique=True)
    beat_at = models.DateTimeField()
    jobs_done = models.PositiveBigIntegerField(default=0)

    def __str__(self):
        return self.name
