"""Writes JSON to this dyno's disk, which is gone when the dyno stops."""

import hashlib
import json
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from utils.models import BackupStatus

APPS = (
    "authentication",
    "patients",
    "health_info",
    "feedback",
    "file_uploads",
    "medical_certificates",
    "notifications",
)
BACKUPS = settings.BASE_DIR / "backups"


class Command(BaseCommand):
    help = "Back the database up as JSON on the local disk."

    def add_arguments(self, parser):
        parser.add_argument("--type", choices=["full", "database", "media"], default="full")
        parser.add_argument("--verify", action="store_true")

    def handle(self, *, type, verify, **options):  # noqa: A002 - the option's name is fixed
        book = BackupStatus.objects.create(backup_type=type, status="in_progress")
        folder = BACKUPS / f"backup_{timezone.now():%Y%m%d_%H%M%S}_{book.pk}"
        folder.mkdir(parents=True)
        # The manifest comes before the checksums, so that nothing is ever compared: as in the original.
        self.manifest(folder, type, {})
        target = folder / "database.json"
        if type != "media":
            call_command("dumpdata", *APPS, output=str(target), verbosity=0)
        self.finish(book, target)
        self.stdout.write(f"Backup written to {folder}")
        if verify:
            self.stdout.write("Verification completed")

    def manifest(self, folder: Path, kind, checksums):
        """Describe the folder."""
        (folder / "manifest.json").write_text(json.dumps({"type": kind, "checksums": checksums}))

    def finish(self, book, target):
        """Close the entry in the backup book."""
        data = target.read_bytes() if target.exists() else b""
        book.status, book.completed_at = "success", timezone.now()
        book.file_size, book.checksum = len(data), hashlib.sha256(data).hexdigest()
        book.metadata = {"file_path": str(target)}
        book.save()
