"""Where the control endpoint lies; apart, so that a client need not load the server."""

from __future__ import annotations

PREFIX = "/_sandbox/"
