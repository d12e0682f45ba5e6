"""Messages to people, how they are sent, and the master switch for mail."""

from django.conf import settings
from django.db import models


class NotificationTemplate(models.Model):
    """Subject and body of one kind of message."""

    name = models.CharField(max_length=100, unique=True)
    template_type = models.CharField(max_length=50)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.name


class Notification(models.Model):
    """One message to one person."""

    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    patient = models.ForeignKey("patients.Patient", null=True, blank=True, on_delete=models.CASCADE)
    template = models.ForeignKey(NotificationTemplate, null=True, blank=True, on_delete=models.SET_NULL)
    title = models.CharField(max_length=200)
    message = models.TextField()
    status = models.CharField(max_length=20, default="PENDING", db_index=True)
    action_url = models.URLField(blank=True)
    scheduled_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self):
        return f"notification {self.pk}"


class NotificationLog(models.Model):
    """What became of a notification, or of a background job when there is none."""

    notification = models.ForeignKey(Notification, null=True, blank=True, on_delete=models.CASCADE, related_name="logs")
    action = models.CharField(max_length=50)
    details = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"log {self.pk}"


class NotificationPreference(models.Model):
    """Which messages a person wants."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    email_enabled = models.BooleanField(default=True)
    reminders_enabled = models.BooleanField(default=True)

    def __str__(self):
        return f"preference of {self.user_id}"


class NotificationCampaign(models.Model):
    """One message to many people."""

    name = models.CharField(max_length=200)
    template = models.ForeignKey(NotificationTemplate, null=True, on_delete=models.SET_NULL)
    recipients = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True)
    status = models.CharField(max_length=20, default="DRAFT")
    scheduled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.name


class GlobalEmailSettings(models.Model):
    """The master switch: one row, always saved under the key 1, so that its sequence gives out no key."""

    emails_enabled = models.BooleanField(default=True)
    reason = models.CharField(max_length=200, blank=True)
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self):
        return "on" if self.emails_enabled else "off"


class SystemEmailConfiguration(models.Model):
    """Whether one automatic kind of mail is sent, and when."""

    kind = models.CharField(max_length=50, unique=True)
    is_enabled = models.BooleanField(default=True)
    send_after_hours = models.PositiveSmallIntegerField(default=24)
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self):
        return self.kind
