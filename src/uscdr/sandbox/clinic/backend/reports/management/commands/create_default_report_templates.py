"""The second step of every release."""

from django.core.management.base import BaseCommand
from django.db import transaction

from reports.contents import KINDS
from reports.formats import TYPES
from reports.models import ReportTemplate


class Command(BaseCommand):
    help = "Write the nine default report templates."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("--force", action="store_true", help="rewrite them, and delete unknown kinds")

    @transaction.atomic
    def handle(self, *, force, **options):
        if force:
            # Templates of an unknown kind go, and every report made from them.
            ReportTemplate.objects.exclude(report_type__in=KINDS).delete()
        for kind, name in KINDS.items():
            values = {"name": name, "supported_formats": list(TYPES), "is_active": True}
            if force:
                ReportTemplate.objects.update_or_create(report_type=kind, defaults=values)
            else:
                ReportTemplate.objects.get_or_create(report_type=kind, defaults=values)
        self.stdout.write(f"{len(KINDS)} default report templates")
