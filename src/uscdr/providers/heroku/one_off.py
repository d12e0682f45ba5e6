"""Running a command in an attached one-off dyno, to its end and exit status."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from pydantic import SecretStr

from uscdr.errors import AnswerLost, ProviderError
from uscdr.models.heroku import OneOffResult
from uscdr.providers.exchange import LOOK_FIRST
from uscdr.providers.heroku import dynos, rendezvous
from uscdr.providers.heroku.client import Ask, HerokuClient
from uscdr.providers.heroku.errors import PROVIDER
from uscdr.providers.heroku.exit_mark import ExitMark, with_mark
from uscdr.providers.http import segment
from uscdr.providers.json_fields import optional_text, record, text
from uscdr.words import duration

LONGEST = 86400
"""Seconds; the platform's own limit for a one-off dyno."""
KEPT_CHARACTERS = 4 * 1024 * 1024
"""Of the output, the end: a runaway command must not fill memory."""


@dataclass(frozen=True)
class Job:
    """What to run where, for at most `time_limit` seconds, and who hears of it."""

    app: str
    command: str
    time_limit: float
    on_started: Callable[[str], None]
    on_output: Callable[[str], None]


@dataclass(frozen=True)
class Started:
    """An accepted one-off dyno. Whoever holds `terminal` can attach to it."""

    name: str
    terminal: SecretStr


def run(client: HerokuClient, job: Job) -> OneOffResult:
    """Start, attach, wait. Whatever goes wrong after the start, the dyno is told to stop."""
    deadline = rendezvous.Deadline(job.time_limit)
    started = client.ask(_start(job), _started)
    try:
        job.on_started(started.name)
        return _attend(client, job, started, deadline)
    except rendezvous.TimeLimitReached:
        raise _time_limit(job, started.name, stopped=_stop(client, job.app, started.name)) from None
    except ProviderError as error:
        _stop(client, job.app, started.name)
        raise _not_attached(started.name, error) from error
    except BaseException:
        # The operator's interrupt too: nobody would see how the command ends.
        _stop(client, job.app, started.name)
        raise


def _start(job: Job) -> Ask:
    body = {
        "attach": True,
        "command": with_mark(job.command),
        "env": {"TERM": "dumb"},
        "time_to_live": min(max(math.ceil(job.time_limit), 1), LONGEST),
    }
    path = f"/apps/{segment(job.app)}/dynos"
    return Ask("run a one-off dyno", "POST", path, writes=True, body=body, sdk=True)


def _started(body: object) -> Started:
    source = record(body)
    return Started(text(source, "name"), SecretStr(optional_text(source, "attach_url")))


def _attend(client: HerokuClient, job: Job, started: Started, deadline: rendezvous.Deadline) -> OneOffResult:
    url = started.terminal
    patience = client.patience
    connection = patience.call(lambda: rendezvous.connect(url, client.verify, deadline), writes=True)
    mark, output = ExitMark(), ""
    with connection, closing(rendezvous.stream(connection, url, deadline, patience.stop, client.leave)) as chunks:
        for chunk in chunks:
            output = _keep(output, mark.feed(chunk), job)
            if mark.exit_status is not None:
                break
    output = _keep(output, mark.finish(), job)
    return OneOffResult(name=started.name, exit_status=mark.exit_status, output=output)


def _keep(output: str, new: str, job: Job) -> str:
    if new:
        job.on_output(new)
    return (output + new)[-KEPT_CHARACTERS:]


def _stop(client: HerokuClient, app: str, name: str) -> bool:
    """Whether the platform accepted to stop the dyno."""
    try:
        dynos.stop(client, app, name)
    except ProviderError:
        return False
    return True


def _time_limit(job: Job, name: str, *, stopped: bool) -> ProviderError:
    message = f"The one-off dyno {name} reached its time limit of {duration(job.time_limit)}"
    if stopped:
        action = "Look at the app's log for how far it got, then decide whether to run it again."
        return ProviderError(f"{message} and was stopped.", provider=PROVIDER, next_action=action)
    action = f"Stop it with `heroku ps:stop {name} --app {job.app}`, then look how far it got."
    return AnswerLost(f"{message}; whether it was stopped is not known.", provider=PROVIDER, next_action=action)


def _not_attached(name: str, error: ProviderError) -> AnswerLost:
    return AnswerLost(
        f"The one-off dyno {name} was started but could not be attached to; whether its command ran is not known.",
        provider=PROVIDER,
        why=error.why,
        next_action=LOOK_FIRST,
        request_id=error.request_id,
    )
