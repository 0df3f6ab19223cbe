"""What every table shares: the metadata, the naming of constraints, and the column types of the domain."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from sqlalchemy import BigInteger, CheckConstraint, Date, DateTime, LargeBinary, MetaData, SmallInteger, Text
from sqlalchemy.orm import DeclarativeBase, mapped_column

Id = Annotated[str, mapped_column(Text(collation="C"))]
"""A public id (`vch_330100_…`), a code or a reference; compared byte by byte: lock order is the same everywhere."""

RegionCode = Annotated[str, mapped_column(Text(collation="C"))]
"""GB/T 2260, six digits: the issuing authority's region. First column of every key of a regional table."""

Words = Annotated[str, mapped_column(Text)]
"""Text that people wrote."""

Encrypted = Annotated[str, mapped_column(Text(collation="C"))]
"""A personal or bank value, encrypted by `app/services/encrypted_fields`; never written in clear (`encrypted`)."""

SearchTag = Annotated[bytes, mapped_column(LargeBinary)]
"""HMAC by which an equal encrypted value is found."""

CanonicalJson = Annotated[str, mapped_column(Text)]
"""RFC 8785 JSON kept as the text that was hashed, so that its SHA-256 can be recomputed from the row."""

Fen = Annotated[int, mapped_column(BigInteger)]
Count = Annotated[int, mapped_column(BigInteger)]
Small = Annotated[int, mapped_column(SmallInteger)]
Instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]
CivilDate = Annotated[date, mapped_column(Date)]


class Base(DeclarativeBase):
    """Root of the tables. The constraint names are part of the design: refusals and tests go by them."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )


def one_of(column: str, values: type, name: str | None = None) -> CheckConstraint:
    """A CHECK that `column` (where not null) is a value of the string enum `values`."""
    listed = ", ".join(f"'{value}'" for value in values)  # type: ignore[attr-defined]
    return CheckConstraint(f"{column} IN ({listed})", name=name or f"{column}_known")


def region_code_format() -> CheckConstraint:
    """A CHECK that the region code is six digits."""
    return CheckConstraint("region_code ~ '^[0-9]{6}$'", name="region_code_format")


def encrypted(*columns: str, name: str = "encrypted") -> CheckConstraint:
    """A CHECK that these columns (where not null) hold encrypted values."""
    return CheckConstraint(" AND ".join(f"{column} ~ '^f1[.]'" for column in columns), name=name)
