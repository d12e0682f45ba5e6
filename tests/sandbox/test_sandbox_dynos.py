"""Dynos, one-offs, the router and the log, with real processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx

from live_sandbox import Live, until
from uscdr.sandbox.processes import Ledger, alive

MARK = "\uffff".encode()


def test_the_formation_runs(live: Live) -> None:
    assert live.settled() == {"web.1": "up", "worker.1": "up"}
    answer = httpx.get(live.contract["web_url"])
    assert (answer.status_code, answer.text) == (200, "hello from the web dyno")


def test_scaling_down_ends_the_processes_before_the_dyno_is_gone(live: Live) -> None:
    live.settled()
    before = live.get(f"/apps/{live.app}/dynos")
    answer = live.send("PATCH", f"/apps/{live.app}/formation", {"updates": [{"type": "worker", "quantity": "0"}]})
    assert [(one["type"], one["quantity"]) for one in answer] == [("worker", 0)]
    until(lambda: "worker.1" not in live.states())
    assert sorted(one["type"] for one in before if one["type"] != "run") == ["web", "worker"]
    lines = live.get_log("worker.1")
    assert any("Stopping all processes with SIGTERM" in line for line in lines)
    live.send("PATCH", f"/apps/{live.app}/formation", {"updates": [{"type": "worker", "quantity": "+2"}]})
    assert live.settled() == {"web.1": "up", "worker.1": "up", "worker.2": "up"}


def test_a_bad_quantity_changes_nothing(live: Live) -> None:
    updates = [{"type": "web", "quantity": 0}, {"type": "nothing", "quantity": 1}]
    assert live.api.patch(f"/apps/{live.app}/formation", json={"updates": updates}).status_code == 404
    updates = [{"type": "web", "quantity": "many"}]
    assert live.api.patch(f"/apps/{live.app}/formation", json={"updates": updates}).status_code == 422
    assert live.get(f"/apps/{live.app}/formation/web")["quantity"] == 1


def test_a_restart_replaces_every_dyno(live: Live) -> None:
    live.settled()
    before = {one["id"] for one in live.get(f"/apps/{live.app}/dynos")}
    assert live.api.delete(f"/apps/{live.app}/dynos").status_code == 202
    until(lambda: not before & {one["id"] for one in live.get(f"/apps/{live.app}/dynos")})
    live.settled()


def test_maintenance_stops_visitors_but_not_the_worker(live: Live) -> None:
    live.settled()
    live.send("PATCH", f"/apps/{live.app}", {"maintenance": True})
    answer = httpx.get(live.contract["web_url"])
    assert (answer.status_code, "Maintenance" in answer.text) == (503, True)
    assert any("code=H80" in line for line in live.get_log("router"))
    assert live.states()["worker.1"] == "up"


def test_without_a_web_dyno_there_is_an_error_page(live: Live) -> None:
    live.send("PATCH", f"/apps/{live.app}/formation", {"updates": [{"type": "web", "quantity": 0}]})
    until(lambda: "web.1" not in live.states())
    assert httpx.get(live.contract["web_url"]).status_code == 503
    assert any("code=H14" in line for line in live.get_log("router"))


def test_a_crashed_dyno_is_started_again(live: Live) -> None:
    live.settled()
    before = set(live.get_log("worker.1"))  # of a long log only the end is told
    running = [pid for pid, mark in Ledger(live.state.processes).entries() if alive(pid, mark)]
    for pid in running:
        if b"echo tick" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    until(lambda: any("from up to crashed" in line for line in set(live.get_log("worker.1")) - before))
    live.settled()


def test_one_offs_carry_the_exit_status_in_one_piece(live: Live) -> None:
    for code in (0, 3):
        command = f'(exit {code}) ; echo "\uffff heroku-command-exit-status: $?"'
        output = live.attached(command)
        assert MARK + f" heroku-command-exit-status: {code}\r\n".encode() in output


def test_a_one_off_sees_config_and_little_else(live: Live) -> None:
    output = live.attached("env", env={"EXTRA": "1"}).decode()
    names = {line.partition("=")[0] for line in output.split("\r\n") if "=" in line}
    assert {"DATABASE_URL", "DYNO", "PATH", "EXTRA"} <= names
    expected = {"DATABASE_URL", "DYNO", "PATH", "EXTRA", "HOME", "LANG", "BIND_ADDRESS", "PYTHONUNBUFFERED"}
    expected |= {"HEROKU_APP_NAME", "MAINTENANCE_PAGE_URL"}
    assert names - expected <= {"PWD", "SHLVL", "_", "OLDPWD"}


def test_input_reaches_a_one_off(live: Live) -> None:
    assert b"got: abc" in live.attached("read line; echo got: $line", stdin=b"abc\n")
    assert live.attached("cat", stdin=b"plain\x04", force_no_tty=True) == b"plain"


def test_detached_one_offs_end_in_the_log(live: Live) -> None:
    made = live.send("POST", f"/apps/{live.app}/dynos", {"command": "echo done; exit 4"}, status=201)
    assert made["attach_url"] is None
    until(lambda: made["name"] not in live.states())
    lines = live.get_log(made["name"])
    assert any(line.endswith("]: done") for line in lines)
    assert any("Process exited with status 4" in line for line in lines)


def test_a_one_off_ends_with_its_time_to_live(live: Live) -> None:
    body = {"command": "sleep 600", "time_to_live": 1}
    made = live.send("POST", f"/apps/{live.app}/dynos", body, status=201)
    until(lambda: made["name"] not in live.states())
    assert live.api.post(f"/apps/{live.app}/dynos", json={**body, "time_to_live": 90000}).status_code == 422


def test_a_tail_goes_on_with_what_happens(live: Live) -> None:
    body = {"lines": 1, "tail": True, "dyno": "router"}
    url = live.send("POST", f"/apps/{live.app}/log-sessions", body, status=201)["logplex_url"]
    with httpx.stream("GET", url, headers={"Accept": "text/event-stream"}, timeout=10) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        httpx.get(live.contract["web_url"] + "look-for-this")
        assert next(line for line in stream.iter_lines() if "look-for-this" in line)
