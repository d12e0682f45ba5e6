"""Header and rows to the bytes of a file."""

import csv
import io
import json
import zipfile
from html import escape

from utils import pdf

TYPES = {
    "CSV": "text/csv",
    "JSON": "application/json",
    "HTML": "text/html",
    "PDF": "application/pdf",
    "EXCEL": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
SUFFIXES = {"CSV": "csv", "JSON": "json", "HTML": "html", "PDF": "pdf", "EXCEL": "xlsx"}
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{SHEET_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{SHEET_TYPE}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{DOCUMENT}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{DOCUMENT}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{DOCUMENT}">'
    '<sheets><sheet name="Report" sheetId="1" r:id="r1"/></sheets></workbook>',
}


def write(export_format, title, header, rows):
    """Return the file of one report.

    Raises:
        KeyError: the format is none of TYPES.
    """
    return WRITERS[export_format](title, header, rows)


def as_csv(_title, header, rows):
    """Comma-separated values."""
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode()


def as_json(title, header, rows):
    """One object a row."""
    data = [dict(zip(header, row, strict=True)) for row in rows]
    return json.dumps({"title": title, "data": data}, default=str).encode()


def as_html(title, header, rows):
    """One table."""
    lines = ["".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in [header, *rows]]
    table = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<!doctype html><title>{escape(title)}</title><table>{table}</table>".encode()


def as_pdf(title, header, rows):
    """One page of lines."""
    return pdf.render(title, ["   ".join(str(cell) for cell in row) for row in [header, *rows]])


def as_excel(_title, header, rows):
    """One sheet of text cells."""
    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'.format
    lines = ["".join(cell(escape(str(value))) for value in row) for row in [header, *rows]]
    data = "".join(f"<row>{line}</row>" for line in lines)
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**PARTS, "xl/worksheets/sheet1.xml": sheet}.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{content}')
    return buffer.getvalue()


WRITERS = {"CSV": as_csv, "JSON": as_json, "HTML": as_html, "PDF": as_pdf, "EXCEL": as_excel}
