"""S3 on loopback: moto behind a lock.

S3 decides a conditional write at once; moto looks first and stores later. So one request is answered at a time, after
its body is there as a whole; a body that was cut off is refused, as S3 does.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KEY_ID, SECRET = "AKIACANARYKEYOFVAULT", "canary-secret-of-the-vault-4711"
BUCKET = "usc-pis-safe"
REGION = "us-east-1"


class OneAtATime:
    """A WSGI application that takes turns."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._turn = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        if len(body) < length:
            start_response("400 Bad Request", [("Content-Length", "0")])
            return []
        environ["wsgi.input"] = io.BytesIO(body)
        with self._turn:
            return list(self._app(environ, start_response))


def serve() -> None:
    """Serve on a free port and say which; end when the parent does."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    server = make_server(
        "127.0.0.1", 0, OneAtATime(DomainDispatcherApplication(create_backend_app)), threaded=True
    )  # fmt: skip
    os.environ["MOTO_PORT"] = str(server.server_port)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


@contextmanager
def s3(log: Path, **environment: str) -> Iterator[int]:
    """The port of a server of its own, with one bucket in it."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            env=os.environ | environment,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            make_bucket(port, BUCKET)
            yield port
        finally:
            process.terminate()
            process.communicate()


def make_bucket(port: int, bucket: str) -> None:
    """Create it."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{bucket}", method="PUT", headers=_signed("s3"))
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def make_locked_bucket(port: int, bucket: str) -> None:
    """Create it with object lock, every object retained for a day: it takes no write without a checksum."""
    place, signed = f"http://127.0.0.1:{port}/{bucket}", _signed("s3")
    rule = (
        b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
        b"<Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>"
    )
    for address, data, more in (
        (place, None, {"x-amz-bucket-object-lock-enabled": "true"}),
        (f"{place}?object-lock", rule, {"Content-Type": "application/xml"}),
    ):
        request = urllib.request.Request(address, data=data, method="PUT", headers={**signed, **more})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200


def make_public_bucket(port: int, bucket: str) -> None:
    """Create it; everybody may read its objects, as of a web space."""
    make_bucket(port, bucket)
    rule = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [rule]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/{bucket}?policy", data=policy, method="PUT",
        headers={**_signed("s3"), "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status in (200, 204)


def versions(port: int, bucket: str) -> int:
    """How many versions it holds, those below a deletion mark too."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{bucket}?versions", headers=_signed("s3"))
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(answer.read().count(b"<Version>"))


def environment(port: int) -> dict[str, str]:
    """What a user would export."""
    return {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
    }


def _signed(service: str) -> dict[str, str]:
    """moto finds the service by this header and does not look at signatures."""
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20260101/{REGION}/{service}/aws4_request"}


if __name__ == "__main__":
    serve()
