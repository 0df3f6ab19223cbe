"""Documents as firms send them, and as attackers do."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO

XLSX_MAIN = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
DOCX_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


def pdf(words: str = "合同") -> bytes:
    return b"%PDF-1.7\n% " + words.encode() + b"\ntrailer <<>>\n%%EOF\n"


def png() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\x00\x00")) + chunk(b"IEND", b"")
    )


def jpeg() -> bytes:
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(9) + b"\xff\xda" + bytes(20) + b"\xff\xd9"


def archive(**parts: bytes | str) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # the same bytes at any time
    return file.getvalue()


def office(main: str, types: str = "", parts: Mapping[str, bytes | str] | None = None) -> bytes:
    listed = f'<Types><Override PartName="/x" ContentType="{main}"/>{types}</Types>'
    return archive(**{"[Content_Types].xml": listed, "x/main.xml": "<x/>"}, **(parts or {}))


def ofd() -> bytes:
    return archive(**{"OFD.xml": '<ofd:OFD xmlns:ofd="http://www.ofdspec.org/2016"/>', "Doc_0/Document.xml": "<x/>"})


def bomb() -> bytes:
    """An archive whose directory says that it unpacks to 4 GB."""
    made = office(XLSX_MAIN)
    at = made.rindex(b"PK\x01\x02")
    return made[: at + 24] + struct.pack("<I", 4_000_000_000) + made[at + 28 :]


def with_password() -> bytes:
    made = bytearray(office(XLSX_MAIN))
    at = bytes(made).rindex(b"PK\x01\x02")
    made[at + 8] |= 1
    return bytes(made)
