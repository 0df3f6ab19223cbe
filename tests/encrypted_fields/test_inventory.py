"""Every column that sounds like a person's or a bank's is on the page of personal data, with what becomes of it."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import LargeBinary, String, Table

from app.models import Base
from app.services.encrypted_fields.columns import ENCRYPTED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "personal-data.md"
_ROW = re.compile(r"^\| `(\w+)\.(\w+)` \|.*\| (encrypted|masked|hashed|clear) \|(.*)\|$", re.MULTILINE)
_SOUNDS = re.compile(
    "name|login|contact|phone|mobile|mail|account|person|identifier|address|source|payee|card|passw|secret|otp|bank|"
    "^text$|note|words|reason|profile|purpose|plan|claim|details|facts|command|effect|evidence|^by$"
)
_AN_ID = re.compile("(?<!person)_ids?$|_entry_id$|^source_|_sha256$")


def sounding(table: Table) -> set[str]:
    return {
        f"{table.name}.{column.name}"
        for column in table.columns
        if isinstance(column.type, String | LargeBinary)
        and _SOUNDS.search(column.name)
        and (not _AN_ID.search(column.name) or "secret" in column.name)
    }


def written() -> dict[str, str]:
    return {f"{table}.{column}": kept for table, column, kept, _ in _ROW.findall(PAGE.read_text())}


def test_every_such_column_has_a_row_and_every_row_a_column() -> None:
    found = {one for table in Base.metadata.sorted_tables for one in sounding(table)}
    assert {"users.name", "payee_accounts.account_no", "portal_sessions.secret_sha256"} <= found
    assert found - set(written()) == set()
    columns = {f"{table.name}.{column.name}" for table in Base.metadata.sorted_tables for column in table.columns}
    assert set(written()) - columns == set()


def test_what_the_page_calls_encrypted_is() -> None:
    said = {one for one, kept in written().items() if kept == "encrypted"}
    assert said == {f"{column.table.name}.{column.name}" for column in ENCRYPTED}


def test_a_row_is_read_as_it_is_written() -> None:
    assert len(written()) == sum(line.startswith("| `") for line in PAGE.read_text().splitlines())
