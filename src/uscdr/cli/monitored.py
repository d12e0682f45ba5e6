"""`--ping` and `--metrics` of every command that is meant for cron: one decorator."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.at_end import AT_END
from uscdr.cli.options import Command, options
from uscdr.monitoring.monitor import Monitor
from uscdr.monitoring.observed import Observed
from uscdr.monitoring.ping import Pinger
from uscdr.settings import PING

Ping = Annotated[
    str | None,
    typer.Option(
        "--ping", envvar=PING, show_envvar=False, metavar="URL",
        help="Address to call at the start and the end, as healthchecks.io expects; safer in $USCDR_PING.",
    ),
]  # fmt: skip
Metrics = Annotated[
    Path | None, typer.Option("--metrics", metavar="FILE", help="Write metrics for Prometheus into a file of this command's own.")
]
SEEN, OURS = "seen", (("ping", Ping), ("metrics", Metrics))
"""The parameter that a command takes to say what it found, and the options that every such command gets."""


def monitored(*may_know: str) -> Callable[[Command], Command]:
    """Give a command `--ping` and `--metrics`; the exit code is told even if the command fails or is interrupted.

    A command with a keyword parameter `seen: Observed` fills it in; `may_know` names the metrics that it can know.
    """

    def around(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [one for one in signature.parameters.values() if one.name != SEEN]

        @wraps(command)
        def run(context: typer.Context, *, ping: str | None, metrics: Path | None, **given: object) -> None:
            seen = Observed(context.command_path.partition(" ")[2], frozenset(may_know))
            _watch(context, seen, ping, metrics)
            command(context, **given, **({SEEN: seen} if SEEN in signature.parameters else {}))

        more = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
                for name, kind in OURS]  # fmt: skip
        run.__signature__ = signature.replace(parameters=[*own, *more])  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in (*own, *more)}
        return run

    return around


def _watch(context: typer.Context, seen: Observed, ping: str | None, metrics: Path | None) -> None:
    """Report the start now, and the end when the exit code is certain. Raises BadInput."""
    if ping is None and metrics is None:
        return
    monitor = Monitor(seen, options(context).output().warn)
    if ping is not None:
        from pydantic import SecretStr

        from uscdr.providers.probes.heartbeat import HttpHeartbeat

        monitor.pinger = Pinger(HttpHeartbeat(SecretStr(ping)), monitor.warn)
    AT_END.append(monitor.ended)
    monitor.begin(metrics)
