"""`--ping` and `--metrics` of every command that is meant for cron: one decorator."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.at_end import AT_END
from uscdr.cli.options import Command, options, with_options
from uscdr.monitoring.monitor import Monitor
from uscdr.monitoring.observed import Observed
from uscdr.monitoring.ping import Pinger
from uscdr.settings import PING

MONITOR = "uscdr.monitor"
"""The key of the command's Monitor among the context's values."""


def _read(context: typer.Context, ping: str | None) -> str | None:
    """Ping the start as soon as the option is read, before the others: a mistake in those is reported, too."""
    if ping is not None and not context.resilient_parsing:
        from pydantic import SecretStr

        from uscdr.providers.probes.heartbeat import HttpHeartbeat

        service = HttpHeartbeat(SecretStr(ping))
        monitor = _monitor(context)
        monitor.pinger = Pinger(service, monitor.warn)
        monitor.pinger.begun()
    return ping


def _monitor(context: typer.Context) -> Monitor:
    """The command's one. From the first call on the exit code is reported."""
    known = context.meta.get(MONITOR)
    if isinstance(known, Monitor):
        return known
    made = Monitor(Observed(context.command_path.partition(" ")[2]), options(context).output().warn)
    AT_END.append(made.ended)
    context.meta[MONITOR] = made
    return made


Ping = Annotated[
    str | None,
    typer.Option(
        "--ping", envvar=PING, show_envvar=False, is_eager=True, callback=_read, metavar="URL",
        help="Address to call at the start and the end, as healthchecks.io expects; safer in $USCDR_PING.",
    ),
]  # fmt: skip
Metrics = Annotated[
    Path | None,
    typer.Option("--metrics", metavar="FILE", help="Write metrics for Prometheus; give each command its own file."),
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
            seen = Observed("")  # nobody asks
            if ping is not None or metrics is not None:
                monitor = _monitor(context)
                seen = monitor.seen
                seen.may_know = frozenset(may_know)
                monitor.measure(metrics)
            command(context, **given, **({SEEN: seen} if SEEN in signature.parameters else {}))

        return with_options(run, own, OURS)

    return around
