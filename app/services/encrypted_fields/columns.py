"""Which columns hold encrypted values. What is written here is what is exchanged when the keys are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Table

from app.kernel.encrypted_fields import FieldPlace
from app.models import ObjectionContact, PayeeAccount, SecondFactor
from app.models.base import Base
from app.services.encrypted_fields.keys import FieldKeys


@dataclass(frozen=True, slots=True)
class EncryptedColumn:
    """A text column whose values are encrypted, with the column of its search tags where it is searched."""

    table: Table
    name: str
    tag: str | None = None

    @property
    def column(self) -> Column[str]:
        """The column itself."""
        return self.table.c[self.name]

    def place(self, *row: str) -> FieldPlace:
        """Where the value of a row lies; `row` is its primary key, in the order of the table's."""
        assert len(row) == len(self.table.primary_key.columns), "the whole primary key"
        return FieldPlace(str(self.table.name), self.name, row)

    def values(self, keys: FieldKeys, value: str | None, *row: str) -> dict[str, str | bytes | None]:
        """What a row holds for this value: the column and, where there is one, its tag."""
        stored = None if value is None else keys.encrypt(value, self.place(*row))
        if self.tag is None:
            return {self.name: stored}
        return {
            self.name: stored,
            self.tag: None if value is None else keys.tag(value, str(self.table.name), self.name),
        }

    def read(self, keys: FieldKeys, stored: str | None, *row: str) -> str | None:
        """The value of a row again. Raises `field_key_missing`, FieldUnreadable."""
        return None if stored is None else keys.decrypt(stored, self.place(*row))

    def tags(self, keys: FieldKeys, value: str) -> list[bytes]:
        """Every tag under which rows with this value may be found."""
        return keys.tags(value, str(self.table.name), self.name)


def _of(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table


ACCOUNT_NO = EncryptedColumn(_of(PayeeAccount), "account_no", "account_no_tag")
OBJECTION_NAME = EncryptedColumn(_of(ObjectionContact), "name")
OBJECTION_CONTACT = EncryptedColumn(_of(ObjectionContact), "contact", "contact_tag")

SECOND_FACTOR = EncryptedColumn(_of(SecondFactor), "sealed_secret")

ENCRYPTED: Sequence[EncryptedColumn] = (ACCOUNT_NO, OBJECTION_NAME, OBJECTION_CONTACT, SECOND_FACTOR)
"""All of them. A test asks of every column of text that sounds like a person's or a bank's what becomes of it."""
