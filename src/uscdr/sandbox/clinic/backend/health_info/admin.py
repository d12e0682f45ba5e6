from django.contrib import admin

from health_info.models import (
    CampaignFeedback,
    CampaignResource,
    CampaignTemplate,
    HealthCampaign,
    HealthInformation,
    HealthInformationImage,
)

admin.site.register(
    [CampaignFeedback, CampaignResource, CampaignTemplate, HealthCampaign, HealthInformation, HealthInformationImage]
)
