"""The background worker of the Procfile."""

from django.core.management.base import BaseCommand

from utils import background, jobs


class Command(BaseCommand):
    help = "Do queued jobs once a second, with a sign of life each time."
    requires_system_checks = []

    def handle(self, **options):
        self.stdout.write("worker: ready")
        self.stdout.flush()
        background.run(self.tick, seconds=1)

    def tick(self):
        done = jobs.work("worker")
        if done:
            self.stdout.write(f"worker: {done} jobs done")
            self.stdout.flush()
