"""Who sent objections, as rows: what the tests of encrypted fields work on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, text

from app.models import ObjectionContact
from app.services.encrypted_fields.columns import OBJECTION_CONTACT, OBJECTION_NAME
from app.services.encrypted_fields.keys import FieldKeys

REGION = "330100"


def put(tx: Any, number: int, *, name: str | None, contact: str | None) -> None:
    """A row as it is given, without the objection that it belongs to."""
    tx.execute(
        text("INSERT INTO objection_contacts (region_code, objection_id, name, contact) VALUES (:r, :i, :n, :c)"),
        {"r": REGION, "i": f"obj_{number}", "n": name, "c": contact},
    )


def contacts(tx: Any, keys: FieldKeys) -> dict[int, tuple[str | None, str | None]]:
    """Name and contact by number, decrypted."""
    return {
        int(row.objection_id[4:]): (
            OBJECTION_NAME.read(keys, row.name, row.region_code, row.objection_id),
            OBJECTION_CONTACT.read(keys, row.contact, row.region_code, row.objection_id),
        )
        for row in tx.execute(select(ObjectionContact))
    }
