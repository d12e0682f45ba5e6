"""Static files come from the slug: a `collectstatic` in a one-off dyno changes nothing for the web dynos."""

from __future__ import annotations

import re

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import ProviderError
from uscdr.models.events import Call
from uscdr.providers.ports.web import Website
from uscdr.scenarios.results import VerifiedData
from uscdr.scenarios.results_app import StaticSeen
from uscdr.scenarios.steps.base import DepsStep, shut
from uscdr.words import plural

ASSET = re.compile(r"""(?:src|href)=["'](?P<path>/[^"'?#]+\.(?:js|css|svg|png|ico))["'?#]""")
MOST = 20
OK = 200


def _not_served(site: Website, path: str, tell: Tell) -> str:
    tell.progress(f"asking for {path}")
    try:
        status = site.ask("GET", path).status
    except ProviderError as error:
        return error.message
    return "" if status == OK else str(status)


class Static(DepsStep[StaticSeen, StaticSeen]):
    """Every file that the first page names must be served."""

    name = "app.static"
    title = "Static files"
    effect = Effect.READ
    manual = ("heroku open --app {app}   # collectstatic in a one-off dyno changes nothing for web",)
    gives = StaticSeen
    needs = (VerifiedData,)
    waits = "the files that the first page names are asked for when the application is open again"

    @override
    def ready(self, view: View) -> str | None:
        return self.waits if shut(view) else super().ready(view)

    @override
    def probe(self, view: View, tell: Tell) -> StaticSeen:
        with self._deps.world() as world:
            site = world.website()
            page = site.ask("GET", "/").body.decode(errors="replace")
            named = list(dict.fromkeys(match["path"] for match in ASSET.finditer(page)))[:MOST]
            missing = [f"{path} ({wrong})" for path in named if (wrong := _not_served(site, path, tell))]
        return StaticSeen(named=len(named), missing=tuple(missing))

    @override
    def plan(self, seen: StaticSeen, view: View) -> Action:
        calls = (Call(provider="app", request="GET / and the files it names", writes=False),)
        if seen.missing:
            return Action(
                "blocked",
                f"Static files are not in the slug: {', '.join(seen.missing)}. Only a new build puts them there "
                "(uscdr recover app --ref REF); collectstatic in a one-off dyno changes nothing for web.",
                calls,
            )
        words = f"{plural(seen.named, 'static file')} named by the first page, all served"
        note = "" if seen.named else " (it names none)"
        return Action("read", words + note + "; a one-off collectstatic is of no use and is not run", calls)
