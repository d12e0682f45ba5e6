"""What of a dump's table of contents is the platform's own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from uscdr.pgserver.cluster import Tool
from uscdr.sandbox.data import dump
from uscdr.sandbox.data.provided import without

HEAD = ";\n; Archive created at 2026-11-28\n;\n"


@pytest.mark.parametrize(
    "line",
    [
        "7; 2615 16390 SCHEMA - _heroku postgres",
        "3512; 0 0 ACL - SCHEMA _heroku postgres",
        "3513; 0 0 COMMENT - SCHEMA _heroku postgres",
        "251; 1255 16391 FUNCTION _heroku create_ext() postgres",
        "3514; 0 0 ACL _heroku FUNCTION create_ext() postgres",
        "3297; 3466 16395 EVENT TRIGGER - extension_before_drop postgres",
    ],
)
def test_the_platforms_own_is_left_out(line: str) -> None:
    assert without(f"{HEAD}{line}\n") == HEAD


@pytest.mark.parametrize(
    "line",
    [
        "217; 1259 16400 TABLE public patients_patient u1",
        "3297; 3466 16395 EVENT TRIGGER - audit_ddl postgres",
        "218; 1259 16401 TABLE public _heroku u1",
        "8; 2615 16399 SCHEMA - archive u1",
        "3500; 0 16400 TABLE DATA archive _heroku u1",
        "219; 1259 16402 TABLE public a\u20289999; u1",
    ],
)
def test_all_else_stays(line: str) -> None:
    assert without(f"{HEAD}{line}\n") == f"{HEAD}{line}\n"


def test_a_name_that_is_no_utf_8_is_listed_as_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, line = tmp_path / "pg_restore", rb"217; 1259 16400 TABLE public caf\351 u1"
    program.write_bytes(b"#!/bin/sh\nprintf '" + line + b"\\n'\n")
    program.chmod(0o755)
    monkeypatch.setattr(Tool, "find", lambda *_, **__: SimpleNamespace(path=program))
    listing = asyncio.run(dump.contents(tmp_path / "any", tmp_path / "listing"))
    assert listing is not None
    assert listing.read_bytes() == line.replace(rb"\351", b"\xe9") + b"\n"
