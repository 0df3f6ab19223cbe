"""What an uploaded document is, by its content and nothing else: a name or a declared type proves nothing.

A file is looked at whole. One that is two things at once (a picture with an archive behind it, a PDF that unpacks) is
refused, because whoever opens it would see another document than whoever judged it. Nothing is ever unpacked to disk.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import BinaryIO

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import DocumentType

MAX_BYTES = 20 * 1024 * 1024
MAX_ENTRIES = 10_000
MAX_UNPACKED = 300 * 1024 * 1024
"""Of an archive (an .xlsx is one), as its directory declares it."""

_HEAD = 16
_PNG = b"\x89PNG\r\n\x1a\n"
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_ZIP_END = b"PK\x05\x06"
_ZIP_END_SIZE = 22
_LONGEST_COMMENT = 65_535
_PART_READ = 1024 * 1024

_XLSX = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
_DOCX = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_OFD = b"http://www.ofdspec.org/2016"


def type_of(file: BinaryIO, size: int) -> DocumentType:
    """The type of a document of `size` bytes. Leaves the file's position anywhere.

    Raises `document_type_refused` for what is none of them, `document_unreadable` for one that is damaged, encrypted,
    carries macros, or is two things at once.
    """
    if size == 0:
        raise _unreadable("The file is empty.", "文件为空。")
    file.seek(0)
    head = file.read(_HEAD)
    if head.startswith(b"%PDF-"):
        _check_pdf(file, size)
        return DocumentType.PDF
    if head.startswith(_PNG):
        _check_png(file, size)
        return DocumentType.PNG
    if head.startswith(b"\xff\xd8\xff"):
        _check_jpeg(file, size)
        return DocumentType.JPEG
    if head.startswith(b"PK\x03\x04"):
        return _archive_type(file, size)
    if head.startswith(_OLE):
        raise _refused(
            "This is an old Office file or one with a password.", "该文件为旧版 Office 格式或设有密码，请另存后上传。"
        )
    raise _refused("By its content this is no document of these types.", "按内容判断，该文件不是可接受的类型。")


def _check_pdf(file: BinaryIO, size: int) -> None:
    tail = _tail(file, size, 2048)
    _, mark, after = tail.rpartition(b"%%EOF")
    if not mark or after.strip(b"\x00\t\n\x0c\r "):
        raise _damaged("PDF")
    _refuse_archive_behind(file, size)


def _check_png(file: BinaryIO, size: int) -> None:
    """Chunk by chunk to the last byte."""
    place, kind, first = len(_PNG), b"", True
    while kind != b"IEND":
        file.seek(place)
        header = file.read(8)
        if len(header) < 8:
            raise _damaged("PNG")
        length, kind = struct.unpack(">I4s", header)
        if length > size or (first and (kind, length) != (b"IHDR", 13)):
            raise _damaged("PNG")
        body, check = file.read(length), file.read(4)
        if len(check) < 4 or zlib.crc32(body, zlib.crc32(kind)) != struct.unpack(">I", check)[0]:
            raise _damaged("PNG")
        place, first = place + 12 + length, False
    if place != size:
        raise _two_things()


def _check_jpeg(file: BinaryIO, size: int) -> None:
    if not _tail(file, size, 4096).rstrip(b"\x00").endswith(b"\xff\xd9"):
        raise _damaged("JPEG")
    _refuse_archive_behind(file, size)


def _archive_type(file: BinaryIO, size: int) -> DocumentType:
    try:
        with zipfile.ZipFile(file) as archive:
            if not _tail(file, size, _ZIP_END_SIZE).startswith(_ZIP_END):
                raise _two_things()
            _check_archive(archive)
            names = {entry.filename for entry in archive.infolist()}
            if "OFD.xml" in names:
                if _OFD not in _part(archive, "OFD.xml"):
                    raise _damaged("OFD")
                return DocumentType.OFD
            if "[Content_Types].xml" not in names:
                raise _refused("This is an archive.", "该文件为压缩包，请上传其中的文件。")
            types = _part(archive, "[Content_Types].xml")
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        struct.error,
        OSError,
    ) as error:
        raise _damaged("Office / OFD") from error
    if b"macroEnabled" in types or any(name.lower().endswith("vbaproject.bin") for name in names):
        raise _unreadable(
            "The document carries macros. Save it without them.", "该文件含宏，请另存为不含宏的文件后上传。"
        )
    found = [kind for mark, kind in ((_XLSX, DocumentType.XLSX), (_DOCX, DocumentType.DOCX)) if mark in types]
    if len(found) != 1:
        raise _refused("This is no .xlsx and no .docx.", "该文件不是 .xlsx 或 .docx。")
    return found[0]


def _check_archive(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise _unreadable("Unpacked the document would be far too large.", "该文件解压后过大，无法接受。")
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise _unreadable("The document has a password. Save it without one.", "该文件设有密码，请取消密码后上传。")
    if len({entry.filename for entry in entries}) < len(entries):
        raise _two_things()
    if min((entry.header_offset for entry in entries), default=1) != 0 or archive.comment:
        raise _two_things()
    if any(entry.filename.startswith(("/", "\\")) or ".." in entry.filename.split("/") for entry in entries):
        raise _damaged("Office / OFD")


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as part:
        return part.read(_PART_READ)


def _refuse_archive_behind(file: BinaryIO, size: int) -> None:
    """A ZIP is read from its end: what ends as one is one, whatever it begins with."""
    tail = _tail(file, size, _LONGEST_COMMENT + _ZIP_END_SIZE)
    place = tail.find(_ZIP_END)
    while place != -1:
        comment = tail[place + 20 : place + _ZIP_END_SIZE]
        if len(comment) == 2 and place + _ZIP_END_SIZE + struct.unpack("<H", comment)[0] == len(tail):
            raise _two_things()
        place = tail.find(_ZIP_END, place + 1)


def _tail(file: BinaryIO, size: int, length: int) -> bytes:
    file.seek(max(0, size - length))
    return file.read(length)


def _refused(en: str, zh: str) -> AppError:
    return AppError(Code.DOCUMENT_TYPE_REFUSED, pointer="/file", why_en=en, why_zh=zh)


def _unreadable(en: str, zh: str) -> AppError:
    return AppError(Code.DOCUMENT_UNREADABLE, pointer="/file", why_en=en, why_zh=zh)


def _damaged(kind: str) -> AppError:
    return _unreadable(
        f"The file begins like {kind} but is damaged or cut off. Open it, save it anew and upload that.",
        f"该文件开头为 {kind} 格式，但已损坏或不完整。请打开后另存，再重新上传。",
    )


def _two_things() -> AppError:
    return _unreadable(
        "The file holds something else beside the document. Open it, save it anew and upload that.",
        "该文件在文档之外还夹带其他内容。请打开后另存，再重新上传。",
    )
