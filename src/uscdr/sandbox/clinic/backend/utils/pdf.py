"""The smallest PDF that readers accept: one page of plain lines."""

import textwrap

LINES = 48
WIDTH = 88
PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"


def render(title, lines):
    """Return the bytes of a one-page PDF; text outside Latin-1 becomes question marks."""
    wrapped = [part for line in lines for part in textwrap.wrap(line, WIDTH) or [""]]
    text = [title, "", *wrapped][:LINES]
    drawn = b"".join(b"(" + escape(line) + b") Tj T*\n" for line in text)
    stream = b"BT /F1 11 Tf 56 780 Td 15 TL\n" + drawn + b"ET"
    return assemble(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            PAGE,
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        ]
    )


def escape(text):
    """Escape what ends a PDF string."""
    encoded = text.encode("latin-1", "replace")
    return encoded.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def assemble(objects):
    """Number the objects and add the cross-reference table."""
    parts, offsets, position = [b"%PDF-1.4\n"], [], len(b"%PDF-1.4\n")
    for index, content in enumerate(objects, 1):
        part = b"%d 0 obj\n%s\nendobj\n" % (index, content)
        offsets.append(position)
        position += len(part)
        parts.append(part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table))
    parts.append(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, position))
    return b"".join(parts)
