"""Set the application's config vars for its media: the cloud, and the switch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import CheckFailed
from uscdr.models.base import Fact
from uscdr.models.media import CLOUD, KEY, SECRET
from uscdr.scenarios.results.media import MediaSettingsSet, MediaUploaded
from uscdr.scenarios.steps.base import reads, writes
from uscdr.scenarios.steps.media_base import MediaStep
from uscdr.threads import Ahead

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uscdr.models.heroku import Release

RELEASE_LIMIT = 900.0
SWITCH, ON = "USE_CLOUDINARY", "True"
"""Only this exact value switches the media service on."""
UNREAD = "DEFAULT_FILE_STORAGE"


class _SettingsSeen(Fact):
    """Names of wrong variables, the newest release, and whether an unused variable is set."""

    wrong: tuple[str, ...]
    release: int | None = None
    pending: bool = False
    unread: bool = False


class MediaSettingsStep(MediaStep[_SettingsSeen, MediaSettingsSet]):
    """Sets all variables in one call, and waits for the release."""

    name = "media.settings"
    title = "Set the media config vars"
    default_id = "media_settings"
    effect = Effect.IDEMPOTENT
    sends = (writes("PATCH", "/apps/{app}/config-vars"), reads("GET", "/apps/{app}/releases"))
    manual = (
        "heroku config:set USE_CLOUDINARY=True CLOUDINARY_CLOUD_NAME=$CLOUD $KEY_AND_SECRET --app {app}",
        "# only for another cloud; CLOUDINARY_API_KEY=… and CLOUDINARY_API_SECRET=… in the SAME call",
    )
    gives = MediaSettingsSet
    needs = (MediaUploaded,)
    waits = "compared after the files are restored"

    @override
    def probe(self, view: View, tell: Reporter) -> _SettingsSeen:
        newest_one = Ahead(self._newest)
        now = self._deps.platform.config_vars(self._deps.app)
        newest, wanted = newest_one.result(), self._wanted()
        return _SettingsSeen(
            wrong=tuple(name for name, value in wanted.items() if name not in now or not _same(now[name], value)),
            release=newest.version if newest else None,
            pending=newest is not None and newest.status == "pending",
            unread=UNREAD in now,
        )

    def _wanted(self) -> Mapping[str, SecretStr]:
        switch = {SWITCH: SecretStr(ON)}
        if self.place.account is None:
            return switch
        account = self.place.account()
        return {CLOUD: SecretStr(account.cloud), KEY: SecretStr(account.api_key), SECRET: account.api_secret, **switch}

    def _newest(self) -> Release | None:
        return next(iter(self._deps.platform.releases(self._deps.app, limit=1)), None)

    @override
    def plan(self, seen: _SettingsSeen, view: View) -> Action:
        note = _note(seen)
        if not seen.wrong and not seen.pending:
            return Action("noop", f"the media config vars are already right{note}")
        if not seen.wrong:
            return Action("change", f"wait for release v{seen.release}{note}", self.calls()[1:])
        names = ", ".join(seen.wrong)
        return Action("change", f"set in one call: {names}{note}", self.calls(), manual=(self._manual(seen),))

    def _manual(self, seen: _SettingsSeen) -> str:
        pairs = " ".join(f"{name}={ON if name == SWITCH else '$' + name}" for name in seen.wrong)
        return f"heroku config:set {pairs} --app {self._deps.app}"

    @override
    def before(self, seen: _SettingsSeen) -> dict[str, Any]:
        return {"wrong": list(seen.wrong), "release": seen.release}

    @override
    def apply(self, seen: _SettingsSeen, view: View, tell: Reporter) -> MediaSettingsSet:
        wanted = self._wanted()
        if seen.wrong:
            self._deps.provisioning.set_config(self._deps.app, {name: wanted[name] for name in seen.wrong})
        release = self._await(tell, after=seen.release if seen.wrong else None)
        return MediaSettingsSet(changed=seen.wrong, release=release.version)

    def _await(self, tell: Reporter, *, after: int | None) -> Release:
        app = self._deps.app
        patience = WaitLimit("the release of the new config vars", RELEASE_LIMIT, f"heroku releases --app {app}")

        def look() -> Release | None:
            newest = self._newest()
            tell.progress(f"waiting for release v{newest.version}" if newest else "waiting for a release")
            return newest

        def ended(newest: Release | None) -> bool:
            return newest is not None and newest.version > (after or 0) and newest.status != "pending"

        release = until(look, ended, patience, self._deps.stop)
        if release is None or release.status != "succeeded":
            raise CheckFailed(
                f"Release v{release.version if release else '?'} of the new config vars did not succeed.",
                why="Its release phase failed, so the dynos still run with the old values.",
                next_action=f"See: heroku releases:output --app {app}. Then: uscdr recover app",
            )
        return release

    @override
    def current(self, seen: _SettingsSeen, view: View) -> MediaSettingsSet:
        return MediaSettingsSet(release=seen.release)

    @override
    def verify(self, result: MediaSettingsSet, view: View, tell: Reporter) -> str:
        seen = self.probe(view, tell)
        if seen.wrong:
            raise CheckFailed(
                "These config vars have other values than uscdr set: " + ", ".join(seen.wrong) + ".",
                next_action=(
                    f"Find out who changed them: heroku releases --app {self._deps.app}. Then: uscdr runs resume"
                ),
            )
        return f"{', '.join(result.changed) or 'nothing'} set; release v{result.release} succeeded{_note(seen)}"


def _note(seen: _SettingsSeen) -> str:
    return f" ({UNREAD} is set but has no effect: this Django version has no such setting)" if seen.unread else ""


def _same(now: SecretStr, wanted: SecretStr) -> bool:
    return now.get_secret_value() == wanted.get_secret_value()
