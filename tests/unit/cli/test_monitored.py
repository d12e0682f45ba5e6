"""`--ping` and `--metrics` on command lines: the service and the file have the exit code that the shell has."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import typer
from prometheus_client.parser import text_string_to_metric_families

from documented import every, names
from fakes import FakeScratch
from given import GivenAdapters
from ping_service import SECRET, PingService, listening
from rehearsal import Rehearsal
from uscdr.cli import main
from uscdr.cli.at_end import AT_END
from uscdr.commands import backup
from uscdr.errors import ConfigError, MachineError, OutcomeUnknown
from uscdr.wiring.context import RunContext
from uscdr.wiring.stores import copies_access

Captured = pytest.CaptureFixture[str]
FOR_CRON = {
    ("drill", "due"),
    ("incident", "check"),
    ("verify",), ("watch",), ("kit", "build"), *(("backup", name) for name in ("capture", "pull", "prove", "status"))
}  # fmt: skip


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("USCDR_CONFIG", "USCDR_TARGET", "USCDR_PING", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HEROKU_API_KEY", "token-of-the-operator")
    yield
    AT_END.clear()


@pytest.fixture
def service() -> Iterator[PingService]:
    with listening() as service:
        yield service


def ended(*arguments: str) -> int:
    """One command line, and what happens once its exit code is certain."""
    code = main.run(arguments)
    main._report(code, arguments)
    AT_END.clear()
    return code


def values(file: Path) -> dict[str, float]:
    """Metrics without further labels."""
    families = text_string_to_metric_families(file.read_text())
    return {one.name: one.value for family in families for one in family.samples if len(one.labels) == 3}


def labels(file: Path) -> dict[str, str]:
    families = text_string_to_metric_families(file.read_text())
    (found,) = [one.labels for family in families for one in family.samples if one.name == "uscdr_command_exit_code"]
    return dict(found)


def test_every_command_for_cron_has_both_and_no_other() -> None:
    given = {path: names(command) & {"--ping", "--metrics"} for path, command in every()}
    assert all(options in (set(), {"--ping", "--metrics"}) for options in given.values())
    assert {path for path, options in given.items() if options} == FOR_CRON


def test_a_success_is_pinged_and_measured(service: PingService, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "uscdr.prom"
    assert ended("verify", "--list", "--ping", service.url, "--metrics", str(file)) == 0
    assert service.parts == ["/start", ""]
    assert values(file)["uscdr_command_exit_code"] == 0
    assert labels(file)["command"] == "verify"
    assert capsys.readouterr().err == ""


def test_without_the_options_nothing_is_told(service: PingService, tmp_path: Path) -> None:
    assert ended("verify", "--list") == 0
    assert (service.heard, AT_END) == ([], [])


def test_the_variable_stands_for_the_option(service: PingService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USCDR_PING", service.url)
    assert ended("verify", "--list") == 0
    monkeypatch.setenv("USCDR_PING", "")
    assert ended("verify", "--list") == 0
    assert service.parts == ["/start", ""]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("No."), 2), (MachineError("Broken."), 3), (OutcomeUnknown("Who knows."), 5),
        (KeyboardInterrupt(), 130), (ZeroDivisionError("a defect"), 3), (OSError(28, "No space left"), 3),
        (SystemExit(7), 7), (typer.Exit(1), 1), (typer.BadParameter("no"), 2),
    ],
)  # fmt: skip
def test_whatever_ends_the_command_is_told(
    service: PingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(backup, "status", fail)
    file = tmp_path / "uscdr.prom"
    assert ended("backup", "status", "--ping", service.url, "--metrics", str(file)) == code
    assert service.parts == ["/start", f"/{code}"]
    found = values(file)
    assert found["uscdr_command_exit_code"] == code
    assert "uscdr_rpo_met" not in found


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "--deadline", "soon"), ("verify", "everything"), ("watch", "--every", "0s"),
        ("kit", "build", "--capture", "--backup", "b001"), ("backup", "pull", "--recipient", "nobody"),
        ("--target", "nowhere", "backup", "status"), ("kit", "build", "--without", "nothing"),
    ],
)  # fmt: skip
def test_bad_input_is_told(service: PingService, arguments: tuple[str, ...]) -> None:
    assert ended(*arguments, "--ping", service.url) == 2
    assert service.parts == ["/start", "/2"]


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_bad_address_ends_the_command_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured, how: str
) -> None:
    monkeypatch.setattr(backup, "status", lambda *_: pytest.fail("it ran"))
    url, file = f"http://hc.example.org/{SECRET}", tmp_path / "uscdr.prom"
    if how == "variable":
        monkeypatch.setenv("USCDR_PING", url)
    more = ("--ping", url) if how == "option" else ()
    assert ended("backup", "status", "--metrics", str(file), *more) == 2
    assert not file.exists()
    out, err = capsys.readouterr()
    assert SECRET not in out + err
    assert "not a valid https address" in err


@pytest.mark.parametrize("fault", ["nowhere/uscdr.prom", "directory", "pipe"])
def test_a_bad_file_of_metrics_ends_the_command_before_it_looks(
    service: PingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(backup, "status", lambda *_: pytest.fail("it ran"))
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert ended("backup", "status", "--metrics", str(tmp_path / fault), "--ping", service.url) == 2
    assert service.parts == ["/start", "/2"]


def test_a_dead_service_changes_no_exit_code(tmp_path: Path, capsys: Captured) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert ended("verify", "--list", "--json", "--ping", f"http://127.0.0.1:{port}/{SECRET}") == 0
    out, err = capsys.readouterr()
    assert err.count("Warning: uscdr could not report") == 2
    assert "Warning" not in out
    assert SECRET not in out + err


def test_a_file_that_cannot_be_written_changes_no_exit_code(
    service: PingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    place = tmp_path / "collector"
    place.mkdir()

    def status(*_: object) -> int:
        place.rmdir()
        return 1

    monkeypatch.setattr(backup, "status", status)
    assert ended("backup", "status", "--metrics", str(place / "uscdr.prom"), "--ping", service.url) == 1
    assert service.parts == ["/start", "/1"]
    assert "Warning: the metrics are those of an earlier run." in capsys.readouterr().err


def test_a_defect_of_the_metrics_changes_nothing_either(
    service: PingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    from uscdr.monitoring import metrics

    def fail(*_: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(metrics, "exposition", fail)
    assert ended("verify", "--list", "--metrics", str(tmp_path / "a.prom"), "--ping", service.url) == 0
    assert service.parts == ["/start", ""], "the end is told all the same"
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_the_collector_of_another_user_can_read_the_file(tmp_path: Path) -> None:
    file = tmp_path / "uscdr.prom"
    file.symlink_to(tmp_path / "real.prom")
    assert ended("verify", "--list", "--metrics", str(file)) == 0
    assert (tmp_path / "real.prom").stat().st_mode & 0o777 == 0o644


class Clinic(Rehearsal):
    """A platform in memory, with a vault where the commands look for it."""

    def adapters(self, context: RunContext, work: Path) -> GivenAdapters:
        here = self.process().on(context.target, context.request, context.run, dry_run=context.dry_run)
        return super().adapters(context, work).but(vault=copies_access(here, lambda: FakeScratch(self.world)))


def test_what_a_capture_found_and_no_journal_has_the_address(
    quick: Path, service: PingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USCDR_STATE_DIR", str(quick))
    monkeypatch.setenv("USCDR_PING", service.url)
    run, file = Clinic(quick), quick / "capture.prom"
    with run._in_haste():
        assert ended("backup", "capture", "--metrics", str(file)) == 0
    assert service.parts == ["/start", ""]
    found = values(file)
    assert 0 <= found["uscdr_newest_backup_age_seconds"] < 3600
    assert found["uscdr_rpo_objective_seconds"] == 14400
    assert labels(file) == {"command": "backup capture", "target": "production", "app": "usc-pis"}
    assert run.world.writes == ["capture"]
    journals = [path for path in quick.rglob("*") if path.is_file()]
    assert len(journals) > 1
    assert not any(SECRET.encode() in path.read_bytes() for path in journals)


def test_the_redactor_knows_the_address(quick: Path, service: PingService) -> None:
    from uscdr.wiring.context import known_secrets

    redactor = known_secrets(Rehearsal(quick).target(), {"USCDR_PING": service.url})
    assert redactor.text(f"see {service.url}") == "see [USCDR_PING]"


def test_a_mistake_that_the_parser_finds_is_told_where_the_variable_has_the_address(
    service: PingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USCDR_PING", service.url)
    assert ended("kit", "build", "--without", "nothing") == 2
    assert service.parts == ["/start", "/2"]
    assert ended("kit", "build", "--help") == 0
    assert len(service.heard) == 2, "help is no run of the command"


def test_ctrl_c_during_the_last_ping_changes_no_exit_code(capsys: Captured) -> None:
    told: list[int] = []

    def interrupted(code: int) -> None:
        told.append(code)
        raise KeyboardInterrupt

    AT_END[:] = [interrupted, interrupted]
    main._report(1, [])
    assert told == [1, 1]
    assert "Interrupted." in capsys.readouterr().err


PROGRAM = """
import sys, threading
from uscdr.commands import backup
from uscdr.wiring.targets import Targets
def status(*_):
    print("running", flush=True)
    threading.Event().wait()
Targets.find = lambda *_, **__: None
backup.status = status
from uscdr.cli.main import main
main()
"""


def test_a_command_that_tells_nobody_loads_nothing_for_it() -> None:
    heavy = ("prometheus_client", "uscdr.monitoring.metrics", "uscdr.monitoring.past", "uscdr.providers.probes")
    program = (
        "import sys; from uscdr.cli import main; code = main.run(['verify', '--list', *sys.argv[1:]]); "
        f"print('loaded', [name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == "loaded []\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_a_failure(service: PingService, tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", PROGRAM, "backup", "status", "--metrics", str(tmp_path / "uscdr.prom")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "USCDR_PING": service.url}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"running\n"
        assert service.parts == ["/start"]
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert service.parts == ["/start", "/130"]
    assert values(tmp_path / "uscdr.prom")["uscdr_command_exit_code"] == 130


def test_a_result_that_could_not_be_printed_is_a_failure(service: PingService) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "uscdr", "verify", "--list"], stdout=full, stderr=subprocess.PIPE, check=False,
            env={**os.environ, "USCDR_PING": service.url}, timeout=60,
        )  # fmt: skip
    assert done.returncode == 3
    assert service.parts == ["/start", "/3"]
