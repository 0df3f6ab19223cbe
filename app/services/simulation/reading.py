"""A file of bills, whatever it is written in: told by its bytes, never by its name. Pure."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from app.services.rules.model import Rules
from app.services.simulation.bills import SimulatedBill, read_json_bills
from app.services.simulation.sheet import read_bill_file


def read_bills(data: bytes, versions: Sequence[Rules]) -> list[SimulatedBill]:
    """The bills of a JSON, CSV or .xlsx file; their facts are those that the versions know.

    Raises `malformed_request`, `validation_failed`, `file_unreadable` or `sheet_invalid`, each with all that is wrong.
    """
    begins = data.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    return read_json_bills(data, versions) if begins in {b"[", b"{"} else read_bill_file(data, versions)
