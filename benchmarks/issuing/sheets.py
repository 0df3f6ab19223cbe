"""A large issuance sheet, and the registry that it fits: firms with valid codes, dates, notes, some rows wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import xlsxwriter  # type: ignore[import-untyped]
from sqlalchemy import Connection, insert
from stdnum.cn import uscc

from app.kernel.ids import new_id
from app.kernel.uscc import organisation_check
from app.kernel.vocabulary import IdentifierType, OrganisationKind
from app.models import Organisation
from app.services.issuance.forms import ISSUANCE
from benchmarks.redemptions.books import LONG_AGO

SHEET = "发放清单"
ROWS_PER_FIRM = 10


@dataclass(frozen=True, slots=True)
class Firm:
    """A firm as the registry has it and the sheet names it."""

    id: str
    uscc: str
    name: str


@dataclass(frozen=True, slots=True)
class Large:
    """A sheet with what its maker declares for it."""

    data: bytes
    count: int
    total_fen: int


def firms(number: int) -> list[Firm]:
    """So many firms with codes that are valid."""
    return [Firm(new_id("org"), _uscc(n), f"测试算力企业{n}有限公司") for n in range(1, number + 1)]


def register(tx: Connection, registered: Sequence[Firm], region_code: str) -> None:
    """Put them into the registry."""
    tx.execute(
        insert(Organisation),
        [
            {
                "id": firm.id,
                "kind": OrganisationKind.FIRM,
                "identifier_type": IdentifierType.USCC,
                "identifier_value": firm.uscc,
                "name": firm.name,
                "region_code": region_code,
                "profile": {},
                "created_at": LONG_AGO,
                "created_by": "benchmark",
            }
            for firm in registered
        ],
    )


def large(of: Sequence[Firm], rows: int, *, batch: str, wrong: int = 0) -> Large:
    """A sheet as Excel saves it, all columns filled; `wrong` of its rows, evenly spread, have a typo in the code."""
    file, total_fen = BytesIO(), 0
    every = rows // wrong if wrong else 0
    with xlsxwriter.Workbook(file, {"constant_memory": False}) as book:
        sheet = book.add_worksheet(SHEET)
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, list(ISSUANCE.headings.values()))
        for n in range(rows):
            firm, fen = of[n % len(of)], 100_000 + n % 9_973
            total_fen += fen
            code = firm.uscc[:-1] + "#" if every and n % every == 0 and n // every < wrong else firm.uscc
            sheet.write_row(n + 1, 0, [f"{batch}-{n:06d}", code, firm.name, fen / 100])
            sheet.write_datetime(n + 1, 4, datetime(2026, 1, 1), day)  # noqa: DTZ001 - Excel's times have no zone
            sheet.write_datetime(n + 1, 5, datetime(2126, 12, 31), day)  # noqa: DTZ001
            sheet.write_string(n + 1, 6, f"第{n % 12 + 1}批")
    return Large(file.getvalue(), rows, total_fen)


def _uscc(number: int) -> str:
    body = f"{number:08d}"
    code = "91330106" + body + organisation_check(body)
    return code + str(uscc.calc_check_digit(code + "0"))
