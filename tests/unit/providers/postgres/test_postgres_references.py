"""What rows say of stored files is read, and nothing else of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from uscdr.models.data_settings import ReferenceColumn

FILES = """
CREATE TABLE uploads (id serial PRIMARY KEY, file varchar(100) NOT NULL, created_at timestamptz, file_size bigint);
INSERT INTO uploads (file, created_at, file_size) VALUES
    ('media/a_1', '2026-11-01 08:00+08', 4321), ('', now(), 1), ('docs/b ñ.pdf', 'infinity', 0);
CREATE TABLE dental (id uuid PRIMARY KEY, xray_images jsonb, photos json, notes jsonb, made timestamp);
INSERT INTO dental VALUES ('00000000-0000-0000-0000-000000000001',
    '["https://res.example.org/c/image/upload/v1/media/x.jpg", {"url": "media/y.png", "note": "Canario, Juan"}]',
    '{"deep": [{"path": "dental/photos/z.jpg"}], "who": "a/b c.jpg said Canario"}', '"Canario"', '2026-01-02');
CREATE TABLE sessions (token text PRIMARY KEY, file text);
INSERT INTO sessions VALUES ('secret-token', 'media/t');
CREATE TABLE numbers (id int PRIMARY KEY, file int);
INSERT INTO numbers VALUES (1, 2);
"""


def columns(*names: str) -> list[ReferenceColumn]:
    return [ReferenceColumn(column=name) for name in names]


def test_text_columns(new_database: Any) -> None:
    clinic = new_database()
    clinic.run(FILES)
    read = clinic.adapter().file_references(columns("uploads.file"))
    assert [(one.place, one.value) for one in read.found] == [
        ("uploads.file #1", "media/a_1"),
        ("uploads.file #3", "docs/b ñ.pdf"),
    ]
    assert [one.created_at for one in read.found] == [datetime(2026, 11, 1, 0, 0, tzinfo=UTC), None]
    assert [one.bytes for one in read.found] == [4321, None]
    assert "media/a_1" not in repr(read)


def test_json_columns_give_addresses_and_paths_only(new_database: Any) -> None:
    clinic = new_database()
    clinic.run(FILES)
    wanted = [ReferenceColumn(column=f"dental.{name}", written="made") for name in ("xray_images", "photos", "notes")]
    read = clinic.adapter().file_references(wanted)
    assert sorted(one.value for one in read.found) == [
        "dental/photos/z.jpg",
        "https://res.example.org/c/image/upload/v1/media/x.jpg",
        "media/y.png",
    ]
    assert {one.created_at for one in read.found} == {datetime(2026, 1, 2, tzinfo=UTC)}
    assert not any("Canario" in one.value for one in read.found)


def test_what_is_not_there_is_named_and_a_key_of_a_person_is_not_read(new_database: Any) -> None:
    clinic = new_database()
    clinic.run(FILES)
    read = clinic.adapter().file_references(columns("uploads.gone", "no_table.file", "sessions.file", "numbers.file"))
    assert read.absent == ("uploads.gone", "no_table.file")
    assert read.unread == ("numbers.file (int4)",)
    assert [one.place for one in read.found] == ["sessions.file #?"]


FORMS = """
CREATE EXTENSION IF NOT EXISTS citext;
CREATE DOMAIN file_name AS varchar(200);
CREATE TABLE forms (id int PRIMARY KEY, c citext, d file_name, n name, l text[], v varchar(90)[][], ci citext[],
    j jsonb[], t text, o json, b bytea, p jsonb, empty text[]);
INSERT INTO forms VALUES (1, 'media/Citext.pdf', 'media/domain.pdf', 'media/name.pdf',
    '{media/l1.pdf,"media/l 2.pdf",NULL,""}', '{{media/v1.pdf},{media/v2.pdf}}', '{media/ci.pdf}',
    array['{"url": "media/j1.png"}', '["media/j2.png", "Canario"]']::jsonb[],
    '["media/t1.png", {"a": "media/t2.png", "who": "Canario"}]',
    '{"note": "a\\u0000b", "file": "media/o.png"}', 'media/b', '[{"public_id": "dental/lone", "version": 7},
      {"public_id": "dental/both", "secure_url": "//h/c/image/upload/both.png"}]', NULL),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[''media/python.png'']', NULL, NULL, NULL, '{}');
"""


def test_every_type_that_can_hold_names_is_read(new_database: Any) -> None:
    clinic = new_database()
    clinic.run(FORMS)
    wanted = columns(*(f"forms.{name}" for name in ("c", "d", "n", "l", "v", "ci", "j", "t", "o", "b", "p", "empty")))
    read = clinic.adapter().file_references(wanted)
    assert sorted(f"{one.column} {one.value}" for one in read.found) == [
        "c media/Citext.pdf", "ci media/ci.pdf", "d media/domain.pdf", "j media/j1.png", "j media/j2.png",
        "l media/l 2.pdf", "l media/l1.pdf", "n media/name.pdf", "o media/o.png", "p //h/c/image/upload/both.png",
        "p dental/lone", "t media/python.png", "t media/t1.png", "t media/t2.png", "v media/v1.pdf", "v media/v2.pdf",
    ]  # fmt: skip
    assert read.unread == ("forms.b (bytea)",)
    assert read.absent == ()


def test_what_jsonb_does_not_take_hides_no_name(new_database: Any) -> None:
    r"""NUL and halves of a character, but not a backslash before the letter u, nor a whole character written so."""
    clinic = new_database()
    clinic.run(
        "CREATE TABLE notes (id int PRIMARY KEY, body json);"
        "INSERT INTO notes VALUES (1, $$" + r'{"a": "x\u0000\u0000y", "f": "media/a.png"}' + "$$),"
        "(2, $$" + r'["media/b.png", "\ud800", "x\udc00\ud83d"]' + "$$),"
        "(3, $$" + r'["media/\ud83d\ude42.png", "C:\\u0000"]' + "$$)"
    )
    read = clinic.adapter().file_references(columns("notes.body"))
    assert [one.value for one in read.found] == ["media/a.png", "media/b.png", "media/🙂.png"]
    assert read.unreadable == ()


def test_a_time_that_cannot_be_is_counted_and_told_as_none(new_database: Any) -> None:
    clinic = new_database()
    clinic.run(FILES)
    clinic.run("UPDATE uploads SET created_at = '12026-11-28' WHERE id = 1")
    read = clinic.adapter().file_references(columns("uploads.file", "sessions.file"))
    assert [one.created_at for one in read.found] == [None, None, None]
    assert read.odd_times == {"uploads": 2}


def test_a_column_that_cannot_be_read_is_named_and_the_others_are_read(new_database: Any) -> None:
    import psycopg

    clinic = new_database()
    clinic.run(FILES)
    with psycopg.connect(clinic.server.dsn(clinic.name)) as other:
        other.execute("LOCK TABLE uploads IN ACCESS EXCLUSIVE MODE")
        read = clinic.adapter(lock_timeout=0.1).file_references(columns("uploads.file", "sessions.file"))
    assert [one.source for one in read.found] == ["sessions.file"]
    (unread,) = read.unreadable
    assert unread.words("read").startswith("uploads.file: cannot be read: locked by session ")


def test_a_column_is_known_by_its_schema_and_name(new_database: Any) -> None:
    clinic = new_database()
    clinic.run(
        'CREATE SCHEMA other; CREATE TABLE other.uploads ("Path of" text);'
        "INSERT INTO other.uploads VALUES ('media/o');"
        "CREATE TABLE uploads (\"Path of\" text); INSERT INTO uploads VALUES ('media/p')"
    )
    read = clinic.adapter().file_references(columns("other.uploads.Path of"))
    assert [(one.value, one.source) for one in read.found] == [("media/o", 'other.uploads."Path of"')]
