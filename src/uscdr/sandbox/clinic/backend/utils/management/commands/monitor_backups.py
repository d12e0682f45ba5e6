"""Looks at the application's own backup book, and at nothing else."""

from datetime import timedelta

from django.core.management.base import BaseCommand
from django.utils import timezone

from utils.models import BackupStatus


class Command(BaseCommand):
    help = "Report backups that hang, and with --auto-fix mark them failed."

    def add_arguments(self, parser):
        parser.add_argument("--auto-fix", action="store_true")
        parser.add_argument("--timeout-minutes", type=int, default=60)
        parser.add_argument("--report-only", action="store_true")

    def handle(self, *, auto_fix, timeout_minutes, report_only, **options):
        limit = timezone.now() - timedelta(minutes=timeout_minutes)
        stuck = BackupStatus.objects.filter(status="in_progress", started_at__lt=limit)
        self.stdout.write(f"{BackupStatus.objects.count()} backups known, {stuck.count()} stuck")
        if auto_fix and not report_only:
            fixed = stuck.update(status="failed", error_message="timed out", completed_at=timezone.now())
            self.stdout.write(f"{fixed} marked as failed")
