"""Rows of an issuance batch as they were sent, and what can be wrong with a cell. Pure.

A row comes from a sheet or from JSON; from here on nobody asks which. `Layout` remembers where its fields stood,
so that every complaint names the place in what the sender has before him.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import partial

from app.kernel.money import MAX_FEN
from app.kernel.problems import AppError, Code, FieldError, Scalar
from app.kernel.rates import parse_decimal
from app.kernel.uscc import USCC_LENGTH, UsccCharacterError, UsccCheckError, UsccLengthError, parse_uscc
from app.kernel.widths import half_width, is_printable
from app.kernel.wording import Language
from app.services.issuance.terms import Terms
from app.services.issuance.words import NAME_LENGTH, NOTE_LENGTH, REFERENCE_LENGTH, CellProblem, Field
from app.services.sheets import scanning

MAX_ROWS = scanning.MAX_ROWS
"""Rows of one batch."""
MAX_ERRORS = 1_000
"""Complaints listed in one answer; `count` says how many there are."""
MAX_FACE_VALUE_FEN = MAX_FEN
SCORE_DECIMALS, SCORE_DIGITS = 4, 12


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One voucher to be, as the authority wrote it. The firm is given by its code or its id; days are Shanghai's."""

    row_no: int
    """The row of the sheet, or the position in the JSON list from 1."""
    reference_no: str
    """Empty where it could not be read, and the face value 0: then there is a complaint, and nothing is issued."""
    face_value_fen: int
    uscc: str | None = None
    firm_id: str | None = None
    firm_name: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    note: str | None = None
    terms: Terms | None = None
    application_id: str | None = None
    """The application that it grants."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields of the rows stood in what was sent, and the language to complain in."""

    language: Language
    columns: Mapping[Field, str] | None = None
    """`B 统一社会信用代码` per field of a sheet; None where the rows came as JSON."""
    single: bool = False
    """Whether the JSON is one row itself, not a list of them."""
    heading_row: int = 0
    """The row of a sheet in which the headings stand."""

    def complaint(self, row_no: int, field: Field, problem: CellProblem) -> FieldError:
        """The problem at its place: row and column of a sheet, a pointer into the JSON document."""
        told = problem.sentence(self.language)
        return self.at(row_no, field, problem.code, told, limit=problem.limit, actual=problem.actual)

    def at(
        self,
        row_no: int,
        field: Field,
        code: str,
        detail: str | None = None,
        *,
        limit: Scalar = None,
        actual: Scalar = None,
    ) -> FieldError:
        """What is wrong there, in words of its own or, without, in those of its code."""
        if self.columns is not None:
            pointer = f"/rows/{row_no}/{field}"
        else:
            pointer = f"/{field}" if self.single else f"/rows/{row_no - 1}/{field}"
        column = self.columns.get(field) if self.columns is not None else None
        return FieldError(pointer, code, detail, limit, actual, row_no, column)

    def refusal(self, errors: Sequence[FieldError]) -> AppError:
        """All complaints in one problem, by row; at most MAX_ERRORS are listed."""
        code = Code.VALIDATION_FAILED if self.columns is None else Code.SHEET_INVALID
        ordered = sorted(errors, key=lambda error: error.row or 0)
        return AppError(code, count=len(ordered), errors=ordered[:MAX_ERRORS])


def read_uscc(text: str) -> str:
    """A 统一社会信用代码 in its stored form. Raises CellProblem."""
    try:
        return parse_uscc(text)
    except UsccLengthError as error:
        raise CellProblem("uscc_length", limit=USCC_LENGTH, actual=error.length) from error
    except UsccCharacterError as error:
        raise CellProblem("uscc_character", position=error.position, actual=error.character) from error
    except UsccCheckError as error:
        problem = CellProblem("uscc_check", position=error.position, limit=error.expected, actual=error.found)
        raise problem from error


def read_text(text: str, *, max_length: int) -> str:
    """A line of text without the spaces around it. Raises CellProblem."""
    line = text.strip()
    if not is_printable(line):
        raise CellProblem("control_character")
    if len(line) > max_length:
        raise CellProblem("too_long", limit=max_length, actual=len(line))
    return line


def read_reference(text: str) -> str:
    """A reference number in its stored form: half-width, so that one grant has one spelling. Raises CellProblem."""
    return read_text(half_width(text), max_length=REFERENCE_LENGTH)


def score_of(text: str) -> str:
    """A reviewers' score as it is compared. Raises ValueError with a sentence in English and Chinese."""
    parse_decimal(text, max_decimals=SCORE_DECIMALS, max_digits=SCORE_DIGITS)
    return str(Decimal(text))


def duplicate_references(references: Iterable[tuple[int, str]], layout: Layout) -> list[FieldError]:
    """A complaint for every row (by its number) whose reference number stood in a row before."""
    first: dict[str, int] = {}
    return [
        layout.complaint(
            row_no,
            Field.REFERENCE_NO,
            CellProblem("reference_duplicate", limit=first[reference_no], actual=reference_no),
        )
        for row_no, reference_no in references
        if first.setdefault(reference_no, row_no) != row_no
    ]


def clean_rows(rows: Sequence[GrantRow], layout: Layout) -> tuple[tuple[GrantRow, ...], list[FieldError]]:
    """Rows that did not come from a sheet, with every text in its stored form, and every complaint about them."""
    errors: list[FieldError] = []

    def read(row: GrantRow, field: Field, text: str | None, reader: Callable[[str], str]) -> str | None:
        try:
            return None if text is None else reader(text)
        except CellProblem as problem:
            errors.append(layout.complaint(row.row_no, field, problem))
            return None

    cleaned = tuple(
        replace(
            row,
            reference_no=read(row, Field.REFERENCE_NO, row.reference_no, read_reference) or "",
            uscc=read(row, Field.USCC, row.uscc, read_uscc),
            firm_name=read(row, Field.FIRM_NAME, row.firm_name, partial(read_text, max_length=NAME_LENGTH)),
            note=read(row, Field.NOTE, row.note, partial(read_text, max_length=NOTE_LENGTH)),
        )
        for row in rows
    )
    errors += [
        layout.complaint(row.row_no, Field.REFERENCE_NO, CellProblem("required"))
        for row in rows
        if not row.reference_no.strip()
    ]
    errors += duplicate_references([(row.row_no, row.reference_no) for row in cleaned if row.reference_no], layout)
    return cleaned, errors
