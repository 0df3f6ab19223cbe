"""Bills on invoice lines, for tests."""

from __future__ import annotations

from itertools import count
from typing import Any

from sqlalchemy import text

from app.kernel.invoices import invoice_fingerprint
from tests.world import Counter, World, line_body

_NUMBERS = count(1)


def digital_number() -> str:
    """A number of a 数电票 that nobody has used."""
    return f"2533200000{next(_NUMBERS):010d}"


def on_invoice(amount_fen: int, number: str, *, whole_fen: int, line_no: int = 1, **changes: Any) -> dict[str, Any]:
    """A line of a bill on a line of an invoice that comes to `whole_fen`."""
    invoice = {"number": number, "line_no": line_no, "amount_fen": whole_fen} | changes.pop("invoice", {})
    return line_body(amount_fen) | {"invoice": invoice} | changes


def bill_of(*lines: dict[str, Any]) -> dict[str, Any]:
    return {"total_fen": sum(line["amount_fen"] for line in lines), "lines": list(lines)}


def used_fen(world: World) -> dict[tuple[str, int, str], tuple[int, int]]:
    """What is counted of each line in each layer: of how much, and how much."""
    with world.database.engine.connect() as tx:
        rows = tx.execute(text("SELECT * FROM invoice_bases WHERE stated_fen IS NOT NULL")).all()
    return {(row.fingerprint, row.line_no, row.layer): (row.limit_fen, row.used_fen) for row in rows}


def claimed_fen(world: World, number: str, line_no: int = 1, layer: str = "") -> tuple[int, int]:
    return used_fen(world)[invoice_fingerprint("", number), line_no, layer]


def refund(desk: Counter, redemption: dict[str, Any], amount_fen: int, **changes: Any) -> Any:
    body = {"amount_fen": amount_fen, "reason": "红冲"} | changes
    return desk.machine.post(f"/v1/redemptions/{redemption['id']}/refunds", body)
