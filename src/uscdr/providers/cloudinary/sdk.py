"""Loading the official SDK, which reads its environment as it is imported and fails there."""

from __future__ import annotations

import platform

from uscdr.errors import ConfigError


def load_sdk() -> None:
    """Import what is needed of it; nothing of its global configuration is used. Raises `ConfigError`."""
    _name_processor()
    try:
        import cloudinary.api_client.execute_request
        import cloudinary.utils  # noqa: F401 - loading is the purpose
    except ValueError:
        # `from None`: the cause can quote the value, which holds a secret.
        raise ConfigError(
            "The environment's CLOUDINARY_* variables keep the Cloudinary SDK from loading.",
            why="CLOUDINARY_URL or CLOUDINARY_API_PROXY is not of the form that it wants.",
            next_action="Unset them: uscdr takes the credentials from the application's config, a kit or USCDR_*.",
        ) from None


def _name_processor() -> None:
    """The SDK asks for the platform's name as it is imported; Python would start `uname -p` with our environment."""
    vars(platform.uname()).setdefault("processor", platform.machine())
