"""What a document is, by its content."""

from __future__ import annotations

import zipfile
from io import BytesIO

import pytest

from app.kernel.problems import AppError
from app.kernel.vocabulary import DocumentType
from app.services.uploads.kinds import type_of
from app.services.uploads.names import clean_name, disposition
from tests.applications import papers


def told(content: bytes) -> str:
    try:
        return type_of(BytesIO(content), len(content))
    except AppError as error:
        return error.code


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (papers.pdf(), "pdf"),
        (papers.pdf() + b"\r\n \x00", "pdf"),
        (papers.png(), "png"),
        (papers.jpeg(), "jpeg"),
        (papers.office(papers.XLSX_MAIN), "xlsx"),
        (papers.office(papers.DOCX_MAIN), "docx"),
        (papers.ofd(), "ofd"),
    ],
)
def test_each_type_is_known_by_its_content(content: bytes, kind: str) -> None:
    assert told(content) == kind


def macro_sheet() -> bytes:
    return papers.office(papers.XLSX_MAIN, parts={"xl/vbaProject.bin": b"\x00"})


def with_comment() -> bytes:
    file = BytesIO(papers.office(papers.DOCX_MAIN))
    with zipfile.ZipFile(file, "a") as made:
        made.comment = b"<script>alert(1)</script>"
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "document_unreadable"),
        (b"MZ\x90\x00" + bytes(200), "document_type_refused"),
        (b"<html><script>alert(1)</script></html>", "document_type_refused"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "document_type_refused"),
        (b"#!/bin/sh\nrm -rf /\n", "document_type_refused"),
        (b"\n%PDF-1.7\n%%EOF", "document_type_refused"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), "document_type_refused"),
        (papers.archive(**{"a.txt": "a"}), "document_type_refused"),
        (papers.office("application/vnd.ms-powerpoint"), "document_type_refused"),
        (papers.office(papers.XLSX_MAIN, types=papers.DOCX_MAIN), "document_type_refused"),
        (papers.pdf()[:-6], "document_unreadable"),
        (papers.pdf() + b"<html></html>", "document_unreadable"),
        (papers.png()[:-1], "document_unreadable"),
        (papers.png()[:40] + b"\x00" + papers.png()[41:], "document_unreadable"),
        (papers.png() + b"<html></html>", "document_unreadable"),
        (papers.png() + papers.archive(a="a"), "document_unreadable"),
        (papers.jpeg() + papers.archive(a="a"), "document_unreadable"),
        (papers.office(papers.XLSX_MAIN) + b"<html></html>", "document_unreadable"),
        (papers.office(papers.XLSX_MAIN) + papers.office(papers.DOCX_MAIN), "document_unreadable"),
        (with_comment(), "document_unreadable"),
        (macro_sheet(), "document_unreadable"),
        (papers.office("application/vnd.ms-excel.sheet.macroEnabled.main+xml"), "document_unreadable"),
        (papers.office(papers.XLSX_MAIN)[:60], "document_unreadable"),
        (papers.office(papers.XLSX_MAIN, parts={"../../etc/cron.d/x": "x"}), "document_unreadable"),
        (papers.bomb(), "document_unreadable"),
        (papers.with_password(), "document_unreadable"),
        (papers.archive(**{"OFD.xml": "<x/>"}), "document_unreadable"),
    ],
)
def test_what_is_something_else_or_two_things_at_once_is_refused(content: bytes, code: str) -> None:
    assert told(content) == code


def test_a_pdf_that_unpacks_is_refused() -> None:
    inner = papers.archive(a="a")
    end = b"\n%%EOF\n"
    both = b"%PDF-1.7\n" + inner[:-2] + len(end).to_bytes(2, "little") + end
    with zipfile.ZipFile(BytesIO(both)) as unpacks:
        assert unpacks.namelist() == ["a"], "it is an archive too"
    assert told(both) == "document_unreadable"


@pytest.mark.parametrize(
    ("sent", "kind", "kept"),
    [
        ("合同.pdf", DocumentType.PDF, "合同.pdf"),
        ("合同.PDF", DocumentType.PDF, "合同.pdf"),
        ("照片.jpeg", DocumentType.JPEG, "照片.jpeg"),
        ("../../etc/passwd", DocumentType.PDF, "passwd.pdf"),
        ("..\\..\\windows\\system32\\a.exe", DocumentType.PNG, "a.exe.png"),
        ('a"; filename="b.exe\r\nSet-Cookie: x=1.pdf', DocumentType.PDF, "a__ filename__b.exeSet-Cookie_ x_1.pdf"),
        ("gnp.\u202efdp.exe", DocumentType.PNG, "gnp.fdp.exe.png"),
        ("", DocumentType.OFD, "document.ofd"),
        ("...", DocumentType.OFD, "document.ofd"),
        (".pdf", DocumentType.PDF, "pdf.pdf"),
        ("长" * 300 + ".docx", DocumentType.DOCX, "长" * 120 + ".docx"),
    ],
)
def test_a_file_keeps_a_name_that_harms_nobody(sent: str, kind: DocumentType, kept: str) -> None:
    assert clean_name(sent, kind) == kept


def test_a_header_names_the_file_in_ascii_and_in_full() -> None:
    told = disposition("合同 1.pdf")
    assert told == "attachment; filename=\"__ 1.pdf\"; filename*=UTF-8''%E5%90%88%E5%90%8C%201.pdf"
