"""Where uploaded files live: names in the database, bytes with the image service."""

import hashlib
import http.client
import posixpath
import time
import uuid
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from django.conf import settings
from django.core.files.storage import Storage
from django.utils.deconstruct import deconstructible

DOCUMENTS, REPORTS = (".pdf",), "reports/"
TAG = "usc-pis"
TIMEOUT = 10


@deconstructible
class CloudinaryStorage(Storage):
    """Resolves stored names to delivery addresses; uploads and destroys by signed calls."""

    def url(self, name):
        cloud = settings.CLOUDINARY_CLOUD_NAME
        return f"{settings.CLOUDINARY_DELIVERY_URL}/{cloud}/{kind(name)}/upload/v1/{quote(name)}"

    def exists(self, name):
        """Ask the delivery address; any failure to answer counts as missing, as in the original."""
        try:
            with urlopen(Request(self.url(name), method="HEAD"), timeout=5) as answer:  # noqa: S310 - the scheme is the configured one
                return answer.status == 200  # noqa: PLR2004 - HTTP's own number
        except OSError:
            return False

    def delete(self, name):
        """Destroy the file; one that is gone already is no error."""
        call(f"{kind(name)}/destroy", {"public_id": public_id(name)})

    def _open(self, name, mode="rb"):
        raise NotImplementedError("files are fetched from their address")

    def _save(self, name, content):
        content.seek(0)
        call(f"{kind(name)}/upload", {"public_id": public_id(name), "tags": TAG}, (name, content.read()))
        return name


def kind(name):
    """Return the resource type that a name is stored under: whatever is no document or report is sent as an image.

    The service refuses one that is none, a text for example.
    """
    return "raw" if name.lower().endswith(DOCUMENTS) or name.startswith(REPORTS) else "image"


def public_id(name):
    """Return the service's id of a name; an image's has no extension."""
    return posixpath.splitext(name)[0] if kind(name) == "image" else name


def call(path, parameters, file=None):
    """Send one signed form to the service. Raises OSError when it does not answer, or refuses."""
    base = urlsplit(settings.CLOUDINARY_API_URL)
    connect = http.client.HTTPSConnection if base.scheme == "https" else http.client.HTTPConnection
    link, mark = connect(base.netloc, timeout=TIMEOUT), uuid.uuid4().hex
    headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
    try:
        link.request(
            "POST",
            f"{base.path}/v1_1/{settings.CLOUDINARY_CLOUD_NAME}/{path}",
            form(mark, signed(parameters), file),
            headers,
        )
        status = link.getresponse().status
    except http.client.HTTPException as error:
        raise ConnectionError(f"Cloudinary broke off: {error}") from error
    finally:
        link.close()
    if status != http.client.OK:
        raise ConnectionError(f"Cloudinary answered {status}")


def signed(parameters):
    """Return the parameters with a time, the key and the signature over what came before it."""
    given = {**parameters, "timestamp": str(int(time.time()))}
    text = "&".join(f"{name}={given[name]}" for name in sorted(given)) + settings.CLOUDINARY_API_SECRET
    signature = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 - the service's own rule
    return {**given, "api_key": settings.CLOUDINARY_API_KEY, "signature": signature}


def form(mark, fields, file=None):
    """Return a multipart body; `file` is a name and its bytes."""
    part = '--{}\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'.format
    body = "".join(part(mark, name, value) for name, value in fields.items()).encode()
    if file:
        name, content = posixpath.basename(file[0]), file[1]
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + f"--{mark}--\r\n".encode()


def address(request, field):
    """Return the absolute address of a stored file, or None when there is none."""
    return request.build_absolute_uri(field.url) if field else None
