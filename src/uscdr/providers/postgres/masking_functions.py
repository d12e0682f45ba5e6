"""The functions that make masked values, in the scratch server's session alone: a dump does not hold them.

All are made from one random key, which nobody keeps: with it gone, a masked value says nothing of the first one. The
same value has the same mask, so that equal texts stay equal in every table.
"""

from __future__ import annotations

KEY = "uscdr.mask"
"""The session's setting that holds the key."""
_WORDS = (
    "amet,ante,arcu,augue,bibendum,blandit,commodo,congue,cras,cursus,dapibus,diam,dictum,dolor,donec,egestas,"
    "elit,enim,erat,eros,est,etiam,facilisis,felis,fermentum,fusce,gravida,hac,iaculis,integer,ipsum,justo,"
    "lacinia,lacus,laoreet,lectus,leo,ligula,lorem,luctus,magna,massa,mattis,mauris,metus,mollis,morbi,nam,nec,"
    "neque,nibh,nisi,nulla,nunc,odio,orci,ornare,pede,porta,proin,purus,quam,risus,rutrum"
)
_NAMES = (
    "Alder,Amber,Arden,Aspen,Avery,Bailey,Blake,Briar,Brook,Cameron,Carey,Casey,Cedar,Clay,Corin,Dale,Darcy,"
    "Devon,Drew,Eden,Ellis,Ember,Fern,Finley,Flint,Frost,Gale,Glenn,Hadley,Harley,Haven,Hazel,Heath,Hollis,"
    "Indigo,Ivory,Jade,Jordan,Juniper,Kelby,Kerry,Lake,Lane,Larkin,Linden,Logan,Marlow,Merle,Morgan,Noel,"
    "Oakley,Onyx,Parker,Peyton,Quill,Quinn,Reese,River,Robin,Rowan,Sage,Sky,Tatum,Vale"
)
PLACEHOLDER_HOST = "example.invalid"
FIRST_DAYS, DAYS = 30, 365
"""Dates move into the past by at least the first, and by less than both together: a time in the future is a finding."""


_TEMPLATES = (
    # as many random bytes as asked for, by key, value and salt
    """
CREATE FUNCTION pg_temp.mask_bytes(v text, salt text, size int) RETURNS bytea LANGUAGE plpgsql STRICT AS $$
DECLARE
    seed text := concat(current_setting('<KEY>'), salt, ':', v, ':');
BEGIN
    IF size <= 32 THEN
        RETURN sha256(convert_to(seed || '0', 'UTF8'));
    END IF;
    RETURN (SELECT string_agg(sha256(convert_to(seed || i, 'UTF8')), ''::bytea ORDER BY i)
            FROM generate_series(0, (size - 1) / 32) i);
END $$""",
    # letters for letters, digits for digits; spaces and punctuation stay
    """
CREATE FUNCTION pg_temp.mask_shape(v text, salt text) RETURNS text LANGUAGE plpgsql STRICT AS $$
BEGIN
    RETURN (SELECT coalesce(string_agg(CASE
        WHEN ascii(c) BETWEEN 48 AND 57 THEN chr(48 + get_byte(b, (o - 1)::int) % 10)
        WHEN ascii(c) BETWEEN 65 AND 90 THEN chr(65 + get_byte(b, (o - 1)::int) % 26)
        WHEN ascii(c) < 128 AND ascii(c) NOT BETWEEN 97 AND 122 THEN c
        ELSE chr(97 + get_byte(b, (o - 1)::int) % 26) END, '' ORDER BY o), '')
    FROM (SELECT pg_temp.mask_bytes(v, salt, length(v)) AS b OFFSET 0) s,
         unnest(string_to_array(v, NULL)) WITH ORDINALITY u (c, o));
END $$""",
    # a long text is nearly as long afterwards, in other words
    """
CREATE FUNCTION pg_temp.mask_filler(v text, salt text) RETURNS text LANGUAGE plpgsql STRICT AS $$
BEGIN
    RETURN (SELECT left(string_agg(('{<WORDS>}'::text[])[1 + get_byte(b, i) % 64], ' ' ORDER BY i), length(v))
    FROM (SELECT pg_temp.mask_bytes(v, salt, length(v) / 4 + 1) AS b OFFSET 0) s, generate_series(0, length(v) / 4) i);
END $$""",
    """
CREATE FUNCTION pg_temp.mask_email(v text, salt text, longest int) RETURNS text LANGUAGE plpgsql STRICT AS $$
BEGIN
    IF v = '' THEN
        RETURN v;
    END IF;
    RETURN concat('u', left(encode(pg_temp.mask_bytes(v, salt, 0), 'hex'),
        greatest(1, least(16, longest - length('<HOST>') - 2))), '@<HOST>');
END $$""",
    """
CREATE FUNCTION pg_temp.mask_text(v text, salt text, longest int) RETURNS text LANGUAGE plpgsql STRICT AS $$
BEGIN
    IF v ~ '^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:]]+$' THEN
        RETURN pg_temp.mask_email(v, salt, longest);
    ELSIF v ~ '^[0-9a-f]{16,}$' THEN
        RETURN left(encode(pg_temp.mask_bytes(v, salt, length(v)), 'hex'), length(v));
    ELSIF length(v) <= 64 THEN
        RETURN pg_temp.mask_shape(v, salt);
    END IF;
    RETURN pg_temp.mask_filler(v, salt);
END $$""",
    # as many names as there were words; a second try, where values must differ, adds letters of its own
    """
CREATE FUNCTION pg_temp.mask_name(v text, salt text, longest int) RETURNS text LANGUAGE plpgsql STRICT AS $$
BEGIN
    RETURN (SELECT CASE WHEN v = '' THEN v ELSE coalesce(string_agg(CASE WHEN w = '' THEN w ELSE
        ('{<NAMES>}'::text[])[1 + get_byte(pg_temp.mask_bytes(w, salt, 0), 0) % 64] END, ' ' ORDER BY o), '')
        || CASE WHEN salt = '' THEN '' ELSE ' ' || left(encode(pg_temp.mask_bytes(v, salt, 0), 'hex'), 6) END END
    FROM regexp_split_to_table(v, '[[:space:]]+') WITH ORDINALITY u (w, o));
END $$""",
    """
CREATE FUNCTION pg_temp.mask_days(person text) RETURNS int LANGUAGE plpgsql STRICT AS $$
BEGIN
    RETURN (SELECT <FIRST> + (get_byte(b, 0) * 256 + get_byte(b, 1)) % <DAYS>
    FROM (SELECT pg_temp.mask_bytes(person, 'days', 0) AS b OFFSET 0) s);
END $$""",
    # between a half and the whole of it, so that it fits wherever the first one did
    """
CREATE FUNCTION pg_temp.mask_share(v text) RETURNS numeric LANGUAGE plpgsql STRICT AS $$
BEGIN
    RETURN (SELECT (500 + (get_byte(b, 0) * 256 + get_byte(b, 1)) % 500) / 1000.0
    FROM (SELECT pg_temp.mask_bytes(v, 'number', 0) AS b OFFSET 0) s);
END $$""",
    """
CREATE FUNCTION pg_temp.mask_number(v numeric) RETURNS numeric LANGUAGE plpgsql STRICT AS $$
BEGIN
    RETURN v * pg_temp.mask_share(v::text);
END $$""",
    # a whole number of a range, by the old one; 15 hexadecimal digits are 60 bits
    """
CREATE FUNCTION pg_temp.mask_between(v numeric, salt text, low numeric, high numeric) RETURNS numeric
LANGUAGE plpgsql STRICT AS $$
DECLARE
    b bytea := pg_temp.mask_bytes(trim_scale(v)::text, salt, 0);
    drawn numeric := ('x' || left(encode(b, 'hex'), 15))::bit(60)::bigint;
BEGIN
    RETURN low + div((high - low + 1) * drawn, 1152921504606846976);
END $$""",
    # one of an array: a whole number from 1000 on gets other digits, as many
    """
CREATE FUNCTION pg_temp.mask_element(v numeric, top numeric) RETURNS numeric LANGUAGE plpgsql STRICT AS $$
DECLARE
    low numeric := power(10::numeric, length(trunc(abs(v))::text) - 1);
BEGIN
    IF abs(v) < 1000 OR v <> trunc(v) OR v IN ('Infinity', '-Infinity', 'NaN') THEN
        RETURN pg_temp.mask_number(v);
    END IF;
    RETURN sign(v) * pg_temp.mask_between(v, '', low, least(low * 10 - 1, nullif(top, 0)));
END $$""",
    # a column's only number becomes at least its half, and comes nearer to it with every third turn
    """
CREATE FUNCTION pg_temp.mask_drawn(
    line numeric[], low numeric, high numeric, lot text, turn int, places int, dealt bool
) RETURNS numeric LANGUAGE plpgsql STRICT AS $$
DECLARE
    b bytea := pg_temp.mask_bytes(lot, 'draw' || turn, 0);
    at int := 1 + get_byte(b, 0);
    part numeric := (get_byte(b, 1) * 65536 + get_byte(b, 2) * 256 + get_byte(b, 3)) / 16777216.0;
BEGIN
    IF dealt THEN
        RETURN line[at];
    ELSIF low = high THEN
        RETURN round(low * (1 - (0.001 + part * 0.499) / power(2::numeric, turn / 3)), places);
    END IF;
    RETURN greatest(low, least(high, round(line[at] + (line[at + 1] - line[at]) * part, places)));
END $$""",
    # a date in a text moves as the person's dates do
    """
CREATE FUNCTION pg_temp.mask_leaf(v text, days int) RETURNS text LANGUAGE plpgsql STRICT AS $$
BEGIN
    IF v ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$' THEN
        BEGIN
            RETURN (left(v, 10)::date - days)::text || substr(v, 11);
        EXCEPTION WHEN data_exception THEN NULL;
        END;
    END IF;
    RETURN pg_temp.mask_text(v, '', 1000000);
END $$""",
    """
CREATE FUNCTION pg_temp.mask_json(j jsonb, known text[], days int) RETURNS jsonb LANGUAGE plpgsql STRICT AS $$
BEGIN
    CASE jsonb_typeof(j)
    WHEN 'object' THEN
        RETURN coalesce((SELECT jsonb_object_agg(
            CASE WHEN key = ANY (known) THEN key ELSE pg_temp.mask_text(key, 'key', 1000000) END,
            pg_temp.mask_json(value, known, days)) FROM jsonb_each(j)), '{}');
    WHEN 'array' THEN
        RETURN coalesce((SELECT jsonb_agg(pg_temp.mask_json(value, known, days) ORDER BY o)
            FROM jsonb_array_elements(j) WITH ORDINALITY u (value, o)), '[]');
    WHEN 'string' THEN RETURN to_jsonb(pg_temp.mask_leaf(j #>> '{}', days));
    WHEN 'number' THEN
        RETURN CASE WHEN abs((j #>> '{}')::numeric) < 1000 THEN j
            ELSE to_jsonb(round(pg_temp.mask_number((j #>> '{}')::numeric))) END;
    ELSE RETURN j;
    END CASE;
END $$""",
)


def _filled(template: str) -> str:
    parts = {
        "KEY": KEY, "WORDS": _WORDS, "NAMES": _NAMES, "HOST": PLACEHOLDER_HOST, "FIRST": str(FIRST_DAYS),
        "DAYS": str(DAYS),
    }  # fmt: skip
    for name, value in parts.items():
        template = template.replace(f"<{name}>", value)
    return template


FUNCTIONS: tuple[str, ...] = tuple(map(_filled, _TEMPLATES))
"""Statements that make them, in order. Of JSON objects the names in `known` stay."""
