"""A cloud in the sandbox, as the official SDK is called on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudinary import api

from uscdr.sandbox import client
from uscdr.sandbox.media import samples
from uscdr.sandbox.state import StateDir


@dataclass(frozen=True)
class CloudUnderTest:
    """`facts` is the contract's section about the media service."""

    state: Path
    facts: Mapping[str, Any] = field(repr=False)

    @property
    def options(self) -> dict[str, Any]:
        """What every call takes besides its own parameters."""
        return {
            "cloud_name": self.facts["cloud"],
            "api_key": self.facts["api_key"],
            "api_secret": self.facts["api_secret"],
            "upload_prefix": self.facts["api_url"],
            "timeout": 20,
        }

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return client.ask(StateDir(self.state), method, path, body)

    def switch(self, **wanted: Any) -> None:
        """Change the cloud's switches."""
        self.control("POST", f"media/accounts/{self.facts['cloud']}", wanted)

    def empty(self) -> None:
        """Delete everything, backups too."""
        for kind in ("image", "raw"):
            while found := api.resources(resource_type=kind, max_results=500, **self.options)["resources"]:
                for one in found:
                    names = {"resource_type": kind, "type": one["type"]}
                    known = api.resource(one["public_id"], versions=True, **names, **self.options)
                    ids = [version["version_id"] for version in known["versions"]]
                    if ids:
                        api.delete_backed_up_assets(one["asset_id"], ids, **self.options)
                    if not one.get("placeholder"):
                        api.delete_resources([one["public_id"]], **names, **self.options)


def picture(directory: Path, name: str, size: int = 3000) -> Path:
    """A JPEG file that differs by its name."""
    file = directory / f"{name}.jpg"
    file.write_bytes(samples.jpeg(name, size))
    return file
