"""The machine on which incidents are tested."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from incident_world import CONFIG, Captured, Chat, World, chatting

from kit_world import Workshop
from scripted_mail import Script, serving
from uscdr import clock


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> Iterator[World]:
    shop = Workshop(tmp_path / "shop")
    config = tmp_path / "config" / "uscdr"
    config.mkdir(parents=True)
    with serving(Script()) as mail, chatting(Chat()) as chat:
        packaged = (Path(__file__).parents[3] / "scenarios.yaml").read_text()
        packaged = packaged.replace("heroku: {app: usc-pis}", f'heroku: {{app: usc-pis, api_url: "{chat.platform}"}}')
        before, _, rest = packaged.partition("communication:\n")
        after = rest[rest.index("# What follows the restoration.") :]
        (config / "scenarios.yaml").write_text(before + CONFIG.format(mail=mail.port) + after)
        for name in ("USCDR_CONFIG", "USCDR_TARGET", "USCDR_SHARED"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {
            "HEROKU_API_KEY": "planted-heroku-key", "USCDR_CHAT_URL": chat.url,
            "USCDR_STATE_DIR": str(tmp_path / "state"),
            "XDG_CONFIG_HOME": str(tmp_path / "config"), "USCDR_KIT_RECIPIENTS": shop.public,
            "USCDR_AGE_IDENTITY": str(shop.identity_file), "USCDR_OPERATOR": "ada",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        found = World(tmp_path, mail, chat, capsys)
        monkeypatch.setattr(clock, "system_time", lambda: found.at)
        for group, people in {"team": ("ben@clinic.example",), "users": ("u1@x.example", "u2@x.example")}.items():
            (tmp_path / f"{group}.txt").write_text("\n".join(people))
            found.call("audience", "import", "--from", f"{group}.txt", "--group", group)
        yield found
