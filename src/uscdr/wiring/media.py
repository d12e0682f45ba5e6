"""Opens the media service of a target: its cloud, credentials and copies of files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.errors import BadInput, ProviderError
from uscdr.journal import runs
from uscdr.models.media import CLOUD, KEY, SECRET, MediaAccount
from uscdr.providers.cloudinary.media import CloudinaryMedia
from uscdr.providers.http.client import trust
from uscdr.providers.http.transport import open_client
from uscdr.providers.probes.status_pages import STATUSPAGE, StatusPage
from uscdr.scenarios.adapters import MediaAccess
from uscdr.scenarios.media.compare import Window
from uscdr.scenarios.media.copies import FolderFiles, MediaFiles
from uscdr.scenarios.media.repair import MediaCache
from uscdr.scenarios.media.under_way import NAME, UploadLog
from uscdr.typed_time import moment_typed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack

    from pydantic import SecretStr

    from uscdr.providers.ports.media import Media
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.config_targets import CloudinaryTarget
    from uscdr.wiring.context import RunContext


class Clouds:
    """Opens the clouds of one target, each at most once; `stack` closes them."""

    def __init__(self, context: RunContext, adapters: Adapters, stack: ExitStack) -> None:
        self._context = context
        self._adapters = adapters
        self._stack = stack
        self._open: dict[str, CloudinaryMedia] = {}

    def access(self, service: CloudinaryTarget) -> MediaAccess:
        """The media access of the steps."""
        wanted = self._context.request.cloud
        page = self._stack.enter_context(
            open_client(
                service.status_url, provider="cloudinary", verify=trust(self._context.target.ca_file), read_only=True
            )
        )
        return MediaAccess(
            open_old=lambda: self.open(service, service.cloud),
            open_new=(lambda: self.open(service, wanted)) if wanted and wanted != service.cloud else None,
            status=StatusPage(page, STATUSPAGE, service="Cloudinary"),
            files=self._files(),
            account=lambda: self._account(wanted or service.cloud),
            book=MediaCache(window=self._window()),
            uploads=UploadLog(self._context.state / "runs" / self._context.run / NAME),
        )

    def _window(self) -> Window | None:
        """From --replaced-since to the beginning of the run, which the run's id records."""
        since = self._context.request.replaced_since
        if since is None:
            return None
        begun = runs.begun_at(self._context.run) or datetime.now(UTC)
        return Window(int(moment_typed(since, "--replaced-since").timestamp()), int(begun.timestamp()))

    def _files(self) -> MediaFiles | None:
        folder = self._context.request.files
        return FolderFiles(Path(folder), self._context.target.config.media) if folder else self._adapters.kit

    def open(self, service: CloudinaryTarget, cloud: str) -> Media:
        """The cloud of that name. Raises BadInput when no credentials for it are available."""
        if cloud not in self._open:
            account = self._account(cloud)
            self._context.redactor.register(SECRET, account.api_secret.get_secret_value())
            self._open[cloud] = self._stack.enter_context(
                CloudinaryMedia(
                    account, api_url=service.api_url, delivery_url=service.delivery_url,
                    ca_file=self._context.target.ca_file, read_only=self._context.dry_run,
                    stop=self._context.stop.event, on_wait=self._context.waits, leave=self._context.guard,
                )
            )  # fmt: skip
        return self._open[cloud]

    def _account(self, cloud: str) -> MediaAccount:
        given = self._context.target.media_accounts.get(cloud)
        found = given or _in_config(cloud, self._config_vars()) or _in_config(cloud, self._kit_vars())
        if found is None:
            raise BadInput(
                f"uscdr has no credentials for the Cloudinary cloud “{cloud}”.",
                why=f"They are not in the environment, in the application's config ({CLOUD}={cloud}) or in a kit.",
                next_action="Set USCDR_CLOUDINARY_CLOUD, USCDR_CLOUDINARY_KEY and USCDR_CLOUDINARY_SECRET.",
            )
        return found

    def _config_vars(self) -> Mapping[str, SecretStr]:
        try:
            return self._adapters.platform.config_vars(self._context.target.services.heroku.app)
        except ProviderError:
            return {}  # the application may not exist; `_account` then looks in the kit

    def _kit_vars(self) -> Mapping[str, SecretStr]:
        kit = self._adapters.kit
        held = kit.config() if kit else None
        return held.values if held else {}


def _in_config(cloud: str, values: Mapping[str, SecretStr]) -> MediaAccount | None:
    named, key, secret = values.get(CLOUD), values.get(KEY), values.get(SECRET)
    if named is None or key is None or secret is None or named.get_secret_value() != cloud:
        return None
    return MediaAccount(cloud=cloud, api_key=key.get_secret_value(), api_secret=secret)
