"""Campaigns and articles, with the addresses of their images."""

from django.db.models import F

from health_info.models import HealthCampaign, HealthInformation
from utils.api import api, found, paged
from utils.storage import address


def campaign_json(request, campaign):
    """Return one campaign; `…_url` is where the image is fetched."""
    images = {name: getattr(campaign, name) for name in HealthCampaign.IMAGES}
    return {
        "id": campaign.pk,
        "title": campaign.title,
        "description": campaign.description,
        "campaign_type": campaign.campaign_type,
        "status": campaign.status,
        "start_date": campaign.start_date,
        "end_date": campaign.end_date,
        "view_count": campaign.view_count,
        "created_at": campaign.created_at,
        **{f"{name}_url": address(request, image) for name, image in images.items()},
    }


def article_json(request, article):
    """Return one article with its pictures."""
    return {
        "id": article.pk,
        "title": article.title,
        "category": article.category,
        "content": article.content,
        "view_count": article.view_count,
        "created_at": article.created_at,
        "images": [
            {"id": picture.pk, "url": address(request, picture.image), "caption": picture.caption}
            for picture in article.images.all()
        ],
    }


@api()
def campaigns(request):
    """List campaigns, a page at a time."""
    return paged(request, HealthCampaign.objects.all(), lambda row: campaign_json(request, row))


@api()
def campaign(request, pk):
    """Return one campaign, and count the view."""
    HealthCampaign.objects.filter(pk=pk).update(view_count=F("view_count") + 1)
    return campaign_json(request, found(HealthCampaign.objects, pk=pk))


@api()
def articles(request):
    """List articles, a page at a time."""
    rows = HealthInformation.objects.prefetch_related("images")
    return paged(request, rows, lambda row: article_json(request, row))


@api()
def article(request, pk):
    """Return one article, and count the view."""
    HealthInformation.objects.filter(pk=pk).update(view_count=F("view_count") + 1)
    return article_json(request, found(HealthInformation.objects, pk=pk))
