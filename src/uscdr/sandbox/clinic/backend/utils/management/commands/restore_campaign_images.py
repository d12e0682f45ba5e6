"""Does the opposite of its name, as the original does."""

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand

from health_info.models import HealthCampaign


class Command(BaseCommand):
    help = "Clear every campaign image whose file cannot be reached."

    def handle(self, **options):
        cleared = 0
        for campaign in HealthCampaign.objects.all():
            lost = [name for name in HealthCampaign.IMAGES if self.unreachable(getattr(campaign, name))]
            for name in lost:
                setattr(campaign, name, "")
            campaign.save(update_fields=lost)
            cleared += len(lost)
        self.stdout.write(f"{cleared} image references cleared")

    def unreachable(self, image):
        """Tell whether there is a name without a file."""
        return bool(image) and not default_storage.exists(image.name)
