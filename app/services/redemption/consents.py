"""The counters of the firm's standing consents, under their vouchers' locks."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from app.sql import Statement

MandateKey = tuple[str, str | None]
"""(region_code, mandate id); no id where the consent is a payment code, which counts nothing."""

_USE = Statement(
    "UPDATE mandates m SET used_fen = m.used_fen + change.fen"
    " FROM unnest(CAST(:regions AS text[]), CAST(:ids AS text[]), CAST(:fen AS bigint[]))"
    " AS change(region_code, id, fen)"
    " WHERE m.region_code = change.region_code AND m.id = change.id"
)


def use_mandates(tx: Connection, changes: Mapping[MandateKey, int]) -> None:
    """Add what was drawn or held under each mandate; less where it came back. One statement."""
    used = sorted((region, mandate_id, fen) for (region, mandate_id), fen in changes.items() if mandate_id and fen)
    if used:
        regions, ids, fen = (list(column) for column in zip(*used, strict=True))
        _USE.send(tx, {"regions": regions, "ids": ids, "fen": fen})
