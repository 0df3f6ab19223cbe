"""Names of uploaded files: kept for people, never used as a path, safe in a header. Pure."""

from __future__ import annotations

import re
from urllib.parse import quote

from app.kernel.vocabulary import DocumentType

LONGEST = 120
UNNAMED = "document"

EXTENSIONS = {
    DocumentType.PDF: ("pdf",),
    DocumentType.PNG: ("png",),
    DocumentType.JPEG: ("jpg", "jpeg"),
    DocumentType.XLSX: ("xlsx",),
    DocumentType.DOCX: ("docx",),
    DocumentType.OFD: ("ofd",),
}
MEDIA_TYPES = {
    DocumentType.PDF: "application/pdf",
    DocumentType.PNG: "image/png",
    DocumentType.JPEG: "image/jpeg",
    DocumentType.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    DocumentType.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    DocumentType.OFD: "application/ofd",
}
assert set(EXTENSIONS) == set(MEDIA_TYPES) == set(DocumentType), "every type has its words"

_SEPARATORS = re.compile(r"[/\\]")
_UNFIT = re.compile(r'["%:*?<>|;=]')


def clean_name(sent: str, kind: DocumentType) -> str:
    """The last part of what was sent, printable, of bounded length, ending in what the content is.

    `../../etc/passwd` of a PDF is `passwd.pdf`, `a.exe` of a picture `a.exe.png`.
    """
    last = _SEPARATORS.split(sent)[-1]
    shown = "".join(character for character in last if character.isprintable())
    shown = _UNFIT.sub("_", shown).strip(" .")
    stem, dot, extension = shown.rpartition(".")
    if dot and stem and extension.lower() in EXTENSIONS[kind]:
        return f"{stem[:LONGEST]}.{extension.lower()}"
    return f"{shown[:LONGEST] or UNNAMED}.{EXTENSIONS[kind][0]}"


def disposition(name: str) -> str:
    """The Content-Disposition under which a browser saves the file and never shows it (RFC 6266)."""
    ascii_name = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"
