"""`recover media` in this process, over the running sandbox, as the command line wires it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import httpx

from live_sandbox import Live, until
from uscdr.commands import run as wiring
from uscdr.engine.run import Outcome
from uscdr.engine.wait import Stop
from uscdr.journal import runs
from uscdr.journal.reader import NAME, Journal
from uscdr.providers.cloudinary.media import CloudinaryMedia
from uscdr.providers.http.retry import RetryPolicy
from uscdr.sandbox.media.clinic import Stored
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load
from uscdr.scenarios.media.compare import CLOCK
from uscdr.wiring import media as clouds
from uscdr.wiring.context import Process
from uscdr.wiring.sandbox_target import target_of
from uscdr.wiring.target import Target

QUICK = RetryPolicy(attempts=3, seconds=10.0, first=0.01, longest=0.02, rate_floor=0.01)


class Somebody:
    """Confirms what was asked for."""

    interactive = True
    manner = "the test"

    def confirm_phrase(self, facts: Mapping[str, str], phrase: str) -> bool:
        return True

    def choose(self, question: str, options: tuple[str, ...]) -> str:
        return options[0]


@dataclass
class MediaRecovery:
    """Runs on one sandbox, and what its service holds afterwards."""

    live: Live
    state: Path
    run: str = ""

    def recover(self, *, dry_run: bool = False, **asked: Any) -> Outcome:
        """A new run of the scenario."""
        self.run = runs.new_run_id("media")
        env = {**os.environ, "USCDR_STATE_DIR": str(self.state)}
        this = Process(self.state, env, Somebody(), lambda _: "done", (), lambda _: None, Stop())
        context = this.on(self._place(env), Request("media", anew=True, **asked), self.run, dry_run=dry_run)
        hasty = partial(CloudinaryMedia, policy=QUICK)
        with mock.patch.object(clouds, "CloudinaryMedia", hasty):
            return wiring.begin(context)

    def _place(self, env: Mapping[str, str]) -> Target:
        return target_of(load(packaged()), env, self.live.contract)

    @property
    def journal(self) -> str:
        return (self.state / "runs" / self.run / NAME).read_text()

    def result(self, step: str) -> dict[str, Any]:
        events = [
            event for event in Journal.read(self.state / "runs" / self.run / NAME).events() if event.get("step") == step
        ]
        return dict(next(event["result"] for event in reversed(events) if "result" in event))

    def quiet_moment(self) -> str:
        """The present, once every file is older than creation and first version may differ by."""
        newest = max(map(datetime.fromisoformat, self._created()))
        until(lambda: datetime.now(UTC) > newest + timedelta(seconds=CLOCK + 2))
        return datetime.now(UTC).isoformat(timespec="seconds")

    def _created(self) -> list[str]:
        media = self.live.contract["cloudinary"]
        auth = httpx.BasicAuth(media["api_key"], media["api_secret"])
        with httpx.Client(base_url=media["api_url"], auth=auth, trust_env=False) as client:
            path = f"/v1_1/{media['cloud']}/resources/"
            pages = [
                client.get(f"{path}{kind}/upload", params={"max_results": 500}).json() for kind in ("image", "raw")
            ]
        return [one["created_at"] for page in pages for one in page["resources"]]

    def damage(self, how: str, *, undo: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = self.live.control(
            "POST", "break/media", {"how": how, **({"undo": True} if undo else {})}
        )
        return found

    def uploads(self) -> list[dict[str, Any]]:
        """The files of the beginning that anybody may have."""
        return [one for one in self.live.control("GET", "media/truth") if one["type"] == "upload"]

    def wrong(self, number: int = 0) -> list[str]:
        """Public ids of seeded files that a cloud does not deliver as they were."""
        media = self.live.contract["cloudinary"]
        cloud, wrong = media["accounts"][number]["cloud"], []
        with httpx.Client(base_url=media["delivery_url"], trust_env=False) as client:
            for one in self.uploads():
                suffix = ".jpg" if one["resource_type"] == "image" else ""
                answer = client.get(f"/{cloud}/{one['resource_type']}/upload/v1/{one['public_id']}{suffix}")
                if hashlib.md5(answer.content).hexdigest() != one["md5"]:
                    wrong.append(one["public_id"])
        return wrong

    def save(self, folder: Path) -> None:
        """Every seeded file, named by its public id; what not everybody gets as it was made."""
        media = self.live.contract["cloudinary"]
        with httpx.Client(base_url=media["delivery_url"], trust_env=False) as client:
            for one in self.live.control("GET", "media/truth"):
                suffix = ".jpg" if one["resource_type"] == "image" else ""
                path = folder / f"{one['public_id']}{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                address = f"/{media['cloud']}/{one['resource_type']}/upload/v1/{one['public_id']}{suffix}"
                restricted = one["type"] != "upload"
                path.write_bytes(Stored(one["public_id"]).content() if restricted else client.get(address).content)

    def effects(self, action: str) -> int:
        return sum(one["action"] == action for one in self.live.control("GET", "media/effects"))
