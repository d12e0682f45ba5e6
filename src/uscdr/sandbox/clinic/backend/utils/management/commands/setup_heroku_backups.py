"""Shells out to the platform's own CLI, which a dyno does not have."""

import subprocess

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Schedule the platform's backups through its CLI."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("--app", required=True)
        parser.add_argument("--schedule-time", default="02:00 UTC")
        parser.add_argument("--retention-days", type=int, default=7)
        parser.add_argument("--dry-run", action="store_true")

    def handle(self, *, app, schedule_time, retention_days, dry_run, **options):
        self.heroku("--version")
        steps = [
            ("pg:backups:unschedule", "DATABASE_URL", "--app", app),
            ("pg:backups:schedule", "DATABASE_URL", "--at", schedule_time, "--app", app),
            ("pg:backups:retention", "--set", str(retention_days), "--app", app),
            ("pg:backups:capture", "--app", app),
        ]
        for step in steps:
            self.stdout.write("heroku " + " ".join(step))
            if not dry_run:
                self.heroku(*step)

    def heroku(self, *arguments):
        """Run one command of the CLI; the first that fails ends everything, with the schedule half changed."""
        try:
            subprocess.run(["heroku", *arguments], check=True)
        except FileNotFoundError as error:
            raise CommandError("Heroku CLI not found. Please install it first.") from error
        except subprocess.CalledProcessError as error:
            raise CommandError(f"heroku {arguments[0]} failed") from error
