"""`uscdr sandbox`: emulate the providers on this machine, for drills and tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typing_extensions import TypedDict

from uscdr.cli.manual import LOCAL, manual
from uscdr.cli.options import options
from uscdr.ui.schemas import Schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from uscdr.sandbox.state import StateDir

app = typer.Typer(no_args_is_help=True, help="Emulate the providers on this machine, for drills and tests.")
fault = typer.Typer(no_args_is_help=True, help="Make provider calls fail.")
app.add_typer(fault, name="fault")

StateOption = Annotated[Path | None, typer.Option("--state", metavar="DIR", help="State directory of the sandbox.")]
DAMAGES = {
    "db": "drop-table, delete-rows, truncate, scramble-text, wrong-data-load, unreachable",
    "app": "bad-release, crashed-web, failing-release-phase, lost-config, missing-migration",
    "infra": "app-gone, addon-gone, account-locked",
    "media": "deleted, overwritten, half-backed-up, credentials-revoked, service-down",
    "service": "broker-gone, mail-revoked, certificate-expired, certificate-wrong-name, certificate-untrusted, "
    "schedule-gone, worker-stopped, beat-stopped",
}
"""By part: the kinds of damage."""
_BREAK_PATHS = {"db": "break", **{name: f"break/{name}" for name in ("app", "infra", "media", "service")}}
_HOW = " ".join(f"{what}: {kinds}." for what, kinds in DAMAGES.items())
_PROVIDERS = (
    "heroku, cloudinary, dns (UPDATE and QUERY too), mail (the token endpoint), application (what the router gets), "
    "broker (its commands), or all."
)
_Seed = Annotated[
    int, typer.Option(metavar="NUMBER", help="Seed of the synthetic data; the same seed gives the same data.")
]
_AppSource = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Directory of another Django application, instead of the clinic.")
]
_EnvFile = Annotated[Path | None, typer.Option(metavar="FILE", help="File with NAME=value lines for the config vars.")]
_Procfile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Procfile to use instead of the application's own.")
]
_BackupAge = Annotated[
    str, typer.Option(metavar="DURATION", help="Age of the backup b001, such as 90s, 30m, 3h or 2d.")
]
_UrlLifetime = Annotated[float, typer.Option(metavar="SECONDS", help="Seconds for which a backup's URL is valid.")]
_DnsTtl = Annotated[int, typer.Option(min=1, metavar="SECONDS", help="TTL of the hostname's alias, in seconds.")]
_DnsLag = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="Seconds by which the second name server is behind.")
]
_Assets = Annotated[int, typer.Option(metavar="NUMBER", help="Number of extra media files, of about 20 kB each.")]
_Plain = Annotated[bool, typer.Option("--plain", help="Leave out the extras of a real account; see docs/sandbox.md.")]


def _state(directory: Path | None) -> StateDir:
    from uscdr.sandbox.state import StateDir, default_root

    return StateDir(directory.absolute() if directory else default_root())


def _tell(text: str) -> None:
    typer.echo(text, err=True)


def _clear_up() -> None:
    """Remove what killed commands left behind."""
    from uscdr.cleanup import sweep
    from uscdr.settings import Directories

    for words in sweep(Directories(os.environ).state):
        _tell(words)


class _KindObject(TypedDict):
    kind: str


class _ClearedObject(TypedDict):
    removed: int


class _DownObject(TypedDict):
    removed: bool


def _show(schema: Schema, context: typer.Context, found: Sequence[Mapping[str, object]], *, lines: list[str]) -> None:
    output = options(context).output()
    for one in found if output.json_lines else ():
        output.record(schema, one)
    for line in () if output.json_lines else lines:
        typer.echo(line)


@app.command()
@manual(
    reads="The application's code, if you name your own.",
    changes="Starts servers on this machine; they only listen on loopback.",
    examples=("sandbox up", "sandbox up --patients 50 --backup-age 3h", "sandbox up --plain --json"),
    exits=LOCAL,
    see=("sandbox status", "sandbox env", "sandbox down"),
)
def up(
    context: typer.Context,
    *,
    patients: Annotated[int, typer.Option(metavar="NUMBER", help="Number of synthetic patients.")] = 200,
    seed: _Seed = 1,
    app_source: _AppSource = None,
    python: Annotated[Path | None, typer.Option(metavar="FILE", help="Python interpreter of that application.")] = None,
    env_file: _EnvFile = None,
    procfile: _Procfile = None,
    backup_age: _BackupAge = "0s",
    keep: Annotated[int, typer.Option(metavar="NUMBER", help="Number of manual backups that the platform keeps.")] = 5,
    url_lifetime: _UrlLifetime = 3600.0,
    dns_ttl: _DnsTtl = 5,
    dns_lag: _DnsLag = 0.3,
    assets: _Assets = 0,
    plain: _Plain = False,
    state: StateOption = None,
) -> None:
    """Start the sandbox and leave it running. Return when it is ready."""
    from uscdr.sandbox import describe, launch
    from uscdr.sandbox.boot.request import UpRequest, seconds
    from uscdr.ui.stages import stages

    source, interpreter, variables, types = (str(path or "") for path in (app_source, python, env_file, procfile))
    age = seconds(backup_age)
    wanted = UpRequest(
        *(patients, seed, source, interpreter, variables, types, age, keep, url_lifetime),
        dns_ttl=dns_ttl,
        dns_lag=dns_lag,
        assets=assets,
        plain=plain,
    )
    _clear_up()
    with stages(options(context).output()) as tell:
        document = launch.up(_state(state), wanted, tell)
    _show(Schema.SANDBOX, context, [describe.begun(document)], lines=describe.up(document, elsewhere=state is not None))


@app.command()
@manual(
    reads="The state directory of the sandbox.",
    changes="Stops the sandbox and removes all its data.",
    examples=("sandbox down", "sandbox down --state DIR"),
    exits=LOCAL,
    see=("sandbox up", "sandbox status"),
)
def down(context: typer.Context, *, state: StateOption = None) -> None:
    """Stop the sandbox and remove all its data."""
    from uscdr.sandbox import launch

    _clear_up()
    done = launch.down(_state(state), _tell)
    words = "Sandbox removed." if done else "There is no sandbox."
    _show(Schema.SANDBOX_REMOVED, context, [_DownObject(removed=done)], lines=[words])


@app.command()
@manual(
    reads="The running sandbox.",
    changes="Nothing.",
    examples=("sandbox status", "sandbox status --json"),
    exits=LOCAL,
    see=("sandbox up", "sandbox audit"),
)
def status(context: typer.Context, *, state: StateOption = None) -> None:
    """Show the apps, dynos, add-ons and backups of the sandbox."""
    from uscdr.sandbox import client, describe

    directory = _state(state)
    running = client.is_running(directory)
    document = describe.running(client.ask(directory, "GET", "status") if running else None)
    _show(Schema.SANDBOX_STATUS, context, [document], lines=describe.status(document))


@app.command()
@manual(
    reads="The running sandbox.",
    changes="Nothing.",
    examples=("sandbox env", "sandbox env --json"),
    exits=LOCAL,
    see=("sandbox up", "sandbox status"),
)
def env(context: typer.Context, *, state: StateOption = None) -> None:
    """Print environment variables for the sandbox. With eval, the official clients use the sandbox."""
    from uscdr.sandbox import client, describe

    directory = _state(state)
    variables = describe.environment(client.running(directory), directory)
    _show(Schema.SANDBOX_ENV, context, [describe.told(variables)], lines=describe.exports(variables))


@app.command("break")
@manual(
    reads="The running sandbox.",
    changes="Damages a part of the sandbox. With --undo it repairs it.",
    examples=(
        "sandbox break db --how drop-table",
        "sandbox break app --how bad-release",
        "sandbox break service --how mail-revoked --undo",
    ),
    exits=LOCAL,
    see=("recover db", "drill db", "sandbox fault add"),
)
def break_(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="PART", help=f"Part to damage: {', '.join(DAMAGES)}.")],
    *,
    how: Annotated[str, typer.Option(metavar="KIND", help=_HOW)],
    app_name: Annotated[str, typer.Option("--app", metavar="APP", help="Application to damage.")] = "usc-pis",
    variable: Annotated[
        str, typer.Option(metavar="NAME", help="lost-config: config var to remove. Default: ALLOWED_HOSTS.")
    ] = "",
    domain_held: Annotated[
        bool, typer.Option("--domain-held", help="app-gone: another application holds the hostnames.")
    ] = False,
    undo: Annotated[
        bool,
        typer.Option("--undo", help="Undo account-locked, credentials-revoked, service-down, or any kind of service."),
    ] = False,
    state: StateOption = None,
) -> None:
    """Damage a part of the sandbox. Choose db, app, infra, media or service."""
    from uscdr.errors import BadInput
    from uscdr.sandbox import client, describe

    if what not in _BREAK_PATHS:
        raise BadInput(f"uscdr cannot damage “{what}”.", next_action="Try: uscdr sandbox break db --how drop-table")
    body = {"how": how, "app": app_name, "variable": variable, "domain_held": domain_held, "undo": undo}
    document = client.ask(_state(state), "POST", _BREAK_PATHS[what], body)
    following = [] if undo or state is not None else [describe.after_damage(what, how)]
    _show(Schema.SANDBOX_DAMAGE, context, [document], lines=[*describe.damage(document), *following])


@fault.command("add")
@manual(
    reads="The running sandbox.",
    changes="Which calls to the sandbox fail, and how.",
    examples=(
        "sandbox fault add 503-html --path '/apps/*'",
        "sandbox fault add 503-html --provider cloudinary --count 0",
    ),
    exits=LOCAL,
    see=("sandbox fault kinds", "sandbox fault list", "sandbox fault clear"),
)
def fault_add(
    context: typer.Context,
    kind: Annotated[
        str, typer.Argument(metavar="FAULT", help="Kind of fault; `uscdr sandbox fault kinds` lists them.")
    ],
    *,
    method: Annotated[str, typer.Option(metavar="METHOD", help="HTTP method, or *.")] = "*",
    path: Annotated[str, typer.Option(metavar="PATTERN", help="Path with * and ? as wildcards.")] = "*",
    call: Annotated[int, typer.Option(metavar="NUMBER", help="Number of the first matching call that fails.")] = 1,
    count: Annotated[int, typer.Option(metavar="NUMBER", help="How many calls fail; 0: all further calls.")] = 1,
    provider: Annotated[str, typer.Option(metavar="PROVIDER", help=_PROVIDERS)] = "heroku",
    state: StateOption = None,
) -> None:
    """Make matching calls fail."""
    from uscdr.sandbox import client, describe

    body = {"kind": kind, "method": method, "path": path, "call": call, "count": count, "provider": provider}
    document = client.ask(_state(state), "POST", "faults", body)
    _show(Schema.SANDBOX_FAULT, context, [document], lines=describe.faults([document]))


@fault.command("list")
@manual(
    reads="The running sandbox.",
    changes="Nothing.",
    examples=("sandbox fault list", "sandbox fault list --json"),
    exits=LOCAL,
    see=("sandbox fault add", "sandbox fault clear"),
)
def fault_list(context: typer.Context, *, state: StateOption = None) -> None:
    """Show the active faults and how often each was applied."""
    from uscdr.sandbox import client, describe

    document = client.ask(_state(state), "GET", "faults")
    _show(Schema.SANDBOX_FAULT, context, document, lines=describe.faults(document))


@fault.command("clear")
@manual(
    reads="The running sandbox.",
    changes="Removes all faults of the sandbox.",
    examples=("sandbox fault clear", "sandbox fault clear --json"),
    exits=LOCAL,
    see=("sandbox fault list", "sandbox fault add"),
)
def fault_clear(context: typer.Context, *, state: StateOption = None) -> None:
    """Remove all faults."""
    from uscdr.sandbox import client
    from uscdr.words import plural

    document = client.ask(_state(state), "DELETE", "faults")
    lines = [f"{plural(document['removed'], 'fault')} removed"]
    _show(Schema.SANDBOX_FAULTS_CLEARED, context, [_ClearedObject(removed=document["removed"])], lines=lines)


@fault.command("kinds")
@manual(
    reads="Nothing.",
    changes="Nothing.",
    examples=("sandbox fault kinds", "sandbox fault kinds --json"),
    exits=LOCAL,
    see=("sandbox fault add",),
)
def fault_kinds(context: typer.Context) -> None:
    """List the kinds of fault."""
    from uscdr.sandbox.faults.rules import PLAIN_KINDS, TIMED_KINDS

    kinds = [*PLAIN_KINDS, *(f"{kind}:SECONDS" for kind in TIMED_KINDS)]
    _show(Schema.SANDBOX_FAULT_KIND, context, [_KindObject(kind=kind) for kind in kinds], lines=kinds)


@app.command()
@manual(
    reads="The log of the sandbox.",
    changes="Nothing.",
    examples=("sandbox audit", "sandbox audit --all --json"),
    exits=LOCAL,
    see=("sandbox status", "runs report"),
)
def audit(
    context: typer.Context,
    *,
    everything: Annotated[bool, typer.Option("--all", help="List reads too.")] = False,
    writes: Annotated[bool, typer.Option("--writes", help="List only writes (the default).")] = False,
    state: StateOption = None,
) -> None:
    """List the writes that the sandbox received, or every request."""
    from uscdr.sandbox import audit as log
    from uscdr.sandbox import describe

    records = [one for one in log.read(_state(state).audit) if one["write"] or (everything and not writes)]
    _show(Schema.SANDBOX_REQUEST, context, records, lines=describe.audit(records))
