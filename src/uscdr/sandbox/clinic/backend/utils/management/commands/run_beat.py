"""The clock of the Procfile."""

import os

from django.core.management.base import BaseCommand
from django.db import transaction

from utils import background, jobs


class Command(BaseCommand):
    help = "Queue the feedback reminders every BEAT_SECONDS (3600)."
    requires_system_checks = []

    def handle(self, **options):
        self.stdout.write("beat: ready")
        self.stdout.flush()
        background.run(self.tick, seconds=float(os.environ.get("BEAT_SECONDS", "3600")), at_once=False)

    def tick(self):
        with transaction.atomic():
            jobs.enqueue("send_reminders")
            jobs.beat("beat")
