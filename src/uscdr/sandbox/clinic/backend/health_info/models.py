"""Articles and campaigns, with their images."""

from django.conf import settings
from django.db import models


class HealthInformation(models.Model):
    """One article."""

    title = models.CharField(max_length=200)
    category = models.CharField(max_length=100, blank=True)
    content = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    view_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self):
        return self.title


class HealthInformationImage(models.Model):
    """A picture inside an article."""

    health_info = models.ForeignKey(HealthInformation, on_delete=models.CASCADE, related_name="images")
    image = models.FileField(upload_to="health_info/")
    caption = models.CharField(max_length=200, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    def __str__(self):
        return f"image {self.pk}"


class CampaignTemplate(models.Model):
    """Default texts and pictures of a new campaign."""

    name = models.CharField(max_length=200)
    campaign_type = models.CharField(max_length=50)
    content = models.TextField(blank=True)
    banner_image = models.FileField(upload_to="campaigns/templates/", blank=True)
    thumbnail_image = models.FileField(upload_to="campaigns/templates/", blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.name


class HealthCampaign(models.Model):
    """A campaign with up to three pictures."""

    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    campaign_type = models.CharField(max_length=50)
    status = models.CharField(max_length=20, default="DRAFT", db_index=True)
    template = models.ForeignKey(CampaignTemplate, null=True, blank=True, on_delete=models.SET_NULL)
    banner_image = models.FileField(upload_to="campaigns/banners/", blank=True)
    pubmat_image = models.FileField(upload_to="campaigns/pubmats/", blank=True)
    thumbnail_image = models.FileField(upload_to="campaigns/thumbnails/", blank=True)
    start_date = models.DateField()
    end_date = models.DateField()
    view_count = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    IMAGES = ("banner_image", "pubmat_image", "thumbnail_image")

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self):
        return self.title


class CampaignResource(models.Model):
    """A file to download with a campaign."""

    campaign = models.ForeignKey(HealthCampaign, on_delete=models.CASCADE, related_name="resources")
    title = models.CharField(max_length=200)
    file = models.FileField(upload_to="campaigns/resources/")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.title


class CampaignFeedback(models.Model):
    """What a reader thought of a campaign."""

    campaign = models.ForeignKey(HealthCampaign, on_delete=models.CASCADE, related_name="feedback")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    rating = models.PositiveSmallIntegerField()
    comments = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"campaign feedback {self.pk}"
