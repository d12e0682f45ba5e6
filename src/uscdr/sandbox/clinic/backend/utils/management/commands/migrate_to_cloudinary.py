"""Uploads local media to the image service, and removes each file that went."""

import http.client
import shutil
from base64 import b64encode
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from utils import storage

FOLDER = "usc_pis_media"


class Command(BaseCommand):
    help = "Move local media to Cloudinary. Rows are not updated."

    def add_arguments(self, parser):
        parser.add_argument("--backup-first", action="store_true")
        parser.add_argument("--dry-run", action="store_true")
        parser.add_argument("--keep-local", action="store_true")

    def handle(self, *, backup_first, dry_run, keep_local, **options):
        if not settings.USE_CLOUDINARY:
            raise CommandError("Cloudinary is not configured: USE_CLOUDINARY=True and three credentials are needed")
        self.ping()
        files = [path for path in sorted(settings.MEDIA_ROOT.rglob("*")) if path.is_file()]
        if backup_first and not dry_run and files:
            # On the same disk: it is lost together with the original.
            shutil.copytree(settings.MEDIA_ROOT, settings.BASE_DIR / "media_backup", dirs_exist_ok=True)
        for path in files:
            public_id = f"{FOLDER}/{path.relative_to(settings.MEDIA_ROOT).as_posix().replace(' ', '_')}"
            self.stdout.write(f"{path.name} -> {public_id}")
            if not dry_run:
                self.upload(path, public_id)
            if not dry_run and not keep_local:
                path.unlink()
        self.stdout.write(f"{len(files)} files")

    def upload(self, path, public_id):
        """Send one file, signed."""
        try:
            storage.call("auto/upload", {"public_id": public_id}, (path.name, path.read_bytes()))
        except OSError as error:
            raise CommandError(f"Cloudinary does not take the file: {error}") from error

    def ping(self):
        """Ask the service whether it takes the key, or fail with its status."""
        base = urlsplit(settings.CLOUDINARY_API_URL)
        connect = http.client.HTTPSConnection if base.scheme == "https" else http.client.HTTPConnection
        link = connect(base.netloc, timeout=10)
        pair = f"{settings.CLOUDINARY_API_KEY}:{settings.CLOUDINARY_API_SECRET}".encode()
        headers = {"Authorization": f"Basic {b64encode(pair).decode()}", "Content-Type": "application/json"}
        try:
            link.request("GET", f"{base.path}/v1_1/{settings.CLOUDINARY_CLOUD_NAME}/ping", headers=headers)
            status = link.getresponse().status
        except OSError as error:
            raise CommandError(f"Cloudinary does not answer: {error}") from error
        finally:
            link.close()
        if status != http.client.OK:
            raise CommandError(f"Cloudinary answered {status}")
