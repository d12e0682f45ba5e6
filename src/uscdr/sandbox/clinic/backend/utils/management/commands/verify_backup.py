"""Judges the backups on this disk; ends with 0 even when it prints FAILED, as the original does."""

import json
import shutil
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Verify the local backups."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("--backup-dir", type=Path, default=settings.BASE_DIR / "backups")
        parser.add_argument("--manifest", type=Path)
        parser.add_argument("--heroku-app")
        parser.add_argument("--test-restore", action="store_true")

    def handle(self, *, backup_dir, manifest, heroku_app, test_restore, **options):
        manifests = [manifest] if manifest else sorted(backup_dir.glob("*/manifest.json"))
        for path in manifests:
            self.stdout.write(f"{path}: {'ok' if self.readable(path) else 'FAILED'}")
        if heroku_app and not shutil.which("heroku"):
            self.stdout.write("platform backups: FAILED (no Heroku CLI)")
        if not manifests:
            self.stdout.write("FAILED: no backups found")
        if test_restore:
            self.stdout.write("restore test: not implemented by the application")

    def readable(self, path):
        """Tell whether a manifest and the file beside it parse."""
        try:
            json.loads(path.read_text())
            json.loads((path.parent / "database.json").read_text())
        except (OSError, ValueError):
            return False
        return True
