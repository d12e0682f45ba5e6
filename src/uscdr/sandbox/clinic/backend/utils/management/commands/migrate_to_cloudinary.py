"""Uploads local media to the image service, and removes each file that went."""

import hashlib
import http.client
import shutil
import time
import uuid
from base64 import b64encode
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

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
        self.call("GET", "ping")
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
        stamp = str(int(time.time()))
        signed = f"public_id={public_id}&timestamp={stamp}{settings.CLOUDINARY_API_SECRET}"
        fields = {
            "api_key": settings.CLOUDINARY_API_KEY,
            "public_id": public_id,
            "signature": hashlib.sha1(signed.encode()).hexdigest(),  # noqa: S324 - the service's own rule
            "timestamp": stamp,
        }
        mark = uuid.uuid4().hex
        part = '--{}\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'.format
        head = "".join(part(mark, name, value) for name, value in fields.items())
        head += f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'
        body = head.encode() + path.read_bytes() + f"\r\n--{mark}--\r\n".encode()
        self.call("POST", "auto/upload", body=body, content_type=f"multipart/form-data; boundary={mark}")

    def call(self, method, path, *, body=None, content_type="application/json"):
        """Send one request to the service, or fail with its status."""
        base = urlsplit(settings.CLOUDINARY_API_URL)
        connect = http.client.HTTPSConnection if base.scheme == "https" else http.client.HTTPConnection
        link = connect(base.netloc, timeout=10)
        pair = f"{settings.CLOUDINARY_API_KEY}:{settings.CLOUDINARY_API_SECRET}".encode()
        headers = {"Authorization": f"Basic {b64encode(pair).decode()}", "Content-Type": content_type}
        try:
            link.request(method, f"{base.path}/v1_1/{settings.CLOUDINARY_CLOUD_NAME}/{path}", body, headers)
            status = link.getresponse().status
        except OSError as error:
            raise CommandError(f"Cloudinary does not answer: {error}") from error
        finally:
            link.close()
        if status != http.client.OK:
            raise CommandError(f"Cloudinary answered {status}")
