"""The small tables: campaigns, articles, reports, mail and the backup book. Made once, whatever the size."""

from datetime import time, timedelta

from authentication.models import SafeEmail, User, VerificationCode
from file_uploads.models import UploadedFile
from health_info.models import (
    CampaignFeedback,
    CampaignResource,
    CampaignTemplate,
    HealthCampaign,
    HealthInformation,
    HealthInformationImage,
)
from notifications.models import NotificationCampaign, NotificationPreference, NotificationTemplate
from reports import formats, generation
from reports.models import GeneratedReport, ReportBookmark, ReportChart, ReportMetric, ReportSchedule, ReportTemplate
from utils.models import BackupSchedule, BackupStatus, SystemHealthMetric
from utils.synthetic import words


def fill(plan):
    """Fill the small tables unless they are filled."""
    if HealthCampaign.objects.exists():
        return
    campaigns(plan)
    articles(plan)
    messages(plan)
    reports(plan)
    operations(plan)


def campaigns(plan):
    """Every campaign has its three pictures, and some a file and an opinion."""
    names = {"banner_image": "campaigns/templates/banner.jpg", "thumbnail_image": "campaigns/templates/thumb.jpg"}
    template = CampaignTemplate.objects.create(name="Standard", campaign_type="PREVENTION", **names)
    for number, (title, kind) in enumerate(words.CAMPAIGNS, 1):
        start = plan.now - timedelta(days=30 * (len(words.CAMPAIGNS) - number))
        campaign = HealthCampaign.objects.create(
            title=title,
            campaign_type=kind,
            status="ACTIVE",
            template=template,
            description=f"{title} at the clinic.",
            start_date=start.date(),
            end_date=(start + timedelta(days=30)).date(),
            created_by_id=plan.staff[0],
            banner_image=f"campaigns/banners/campaign_{number:02}.jpg",
            pubmat_image=f"campaigns/pubmats/campaign_{number:02}.jpg",
            thumbnail_image=f"campaigns/thumbnails/campaign_{number:02}.jpg",
        )
        backdate(campaign, start)
        CampaignResource.objects.create(
            campaign=campaign, title="Leaflet", file=f"campaigns/resources/leaflet_{number:02}.pdf"
        )
        CampaignFeedback.objects.create(campaign=campaign, user_id=plan.staff[0], rating=1 + number % 5)


def articles(plan):
    """Eight articles with a picture each, and ten files of the clinic."""
    for number in range(1, 9):
        article = HealthInformation.objects.create(
            title=f"Health letter {number}", content="Drink water, sleep well, walk daily.", author_id=plan.staff[0]
        )
        backdate(article, plan.now - timedelta(days=20 * (9 - number)))
        HealthInformationImage.objects.create(health_info=article, image=f"health_info/letter_{number:02}.jpg")
    for number in range(1, 11):
        name = f"form_{number:02}.pdf"
        UploadedFile.objects.create(
            file=f"uploads/{name}",
            original_filename=name,
            content_type="application/pdf",
            file_size=20_000 + number,
            uploaded_by_id=plan.staff[0],
        )


def messages(plan):
    """Templates of messages, one campaign of them, preferences, and two addresses from outside."""
    template, _new = NotificationTemplate.objects.get_or_create(
        name="feedback", defaults={"template_type": "REMINDER", "subject": "Your visit", "body": "How was it?"}
    )
    campaign = NotificationCampaign.objects.create(name="Welcome", template=template, status="SENT")
    campaign.recipients.set(plan.staff)
    NotificationPreference.objects.bulk_create(NotificationPreference(user_id=key) for key in plan.staff)
    VerificationCode.objects.create(user_id=plan.staff[0], code="000000", expires_at=plan.now, used_at=plan.now)
    for name in ("partner", "visitor"):
        SafeEmail.objects.create(email=f"{name}@elsewhere.example", reason="Works with the clinic")


def reports(plan):
    """One finished report of each template in its own format, with schedule, bookmark, chart and figure."""
    kinds = list(formats.TYPES)
    for number, template in enumerate(ReportTemplate.objects.all()):
        report = GeneratedReport.objects.create(
            template=template,
            title=template.name,
            export_format=kinds[number % len(kinds)],
            generated_by_id=plan.staff[0],
        )
        # The name is enough: the file behind it is made with all others that the rows name.
        generation.generate(report.pk, keep=lambda name, _data: name)
        ReportChart.objects.create(template=template, title=template.name, chart_type="bar")
        ReportMetric.objects.create(report=report, name="rows", value=number)
        ReportBookmark.objects.create(user_id=plan.staff[0], template=template)
        schedule = ReportSchedule.objects.create(template=template, frequency="MONTHLY")
        schedule.recipients.set(User.objects.filter(role="ADMIN"))


def operations(plan):
    """A week of the application's own backups, all on dynos that are gone."""
    BackupSchedule.objects.create(backup_type="full", schedule_type="daily", schedule_time=time(2))
    for day in range(7, 0, -1):
        backup = BackupStatus.objects.create(
            backup_type="full",
            status="success",
            file_size=4_000_000 + day,
            metadata={"file_path": f"/app/backend/backups/backup_{day}.json"},
        )
        when = plan.now - timedelta(days=day)
        BackupStatus.objects.filter(pk=backup.pk).update(started_at=when, completed_at=when)
        SystemHealthMetric.objects.create(metric_type="memory", value=300 + day, unit="MB")


def backdate(row, when):
    """Set the time that the model would not let us set."""
    type(row).objects.filter(pk=row.pk).update(created_at=when, updated_at=when)
