"""The counters of the firm's standing consents, under their vouchers' locks."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text

MandateKey = tuple[str, str]
"""(region_code, mandate id)."""

_USE = text(
    "UPDATE mandates m SET used_fen = m.used_fen + change.fen"
    " FROM unnest(CAST(:regions AS text[]), CAST(:ids AS text[]), CAST(:fen AS bigint[]))"
    " AS change(region_code, id, fen)"
    " WHERE m.region_code = change.region_code AND m.id = change.id"
)


def use_mandates(tx: Connection, changes: Mapping[MandateKey, int]) -> None:
    """Add what was drawn or held under each mandate; less where it came back. One statement."""
    keys = sorted(key for key, fen in changes.items() if fen)
    if keys:
        columns = {"regions": [region for region, _ in keys], "ids": [mandate_id for _, mandate_id in keys]}
        tx.execute(_USE, columns | {"fen": [changes[key] for key in keys]})
