"""What bills are counted in: the published table of accelerators, and the list of units. Documentation, open to all."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from app.api.fields import Read
from app.services.evidence.accelerators import published_table
from app.services.evidence.units import UNITS

router = APIRouter(prefix="/v1", tags=["documentation"])


class AcceleratorRead(Read):
    """A card and what it computes, with the source of the figure."""

    code: str
    maker_en: str
    maker_zh: str
    name_en: str
    name_zh: str
    origin: Literal["domestic", "foreign"]
    fp16_dense_tflops: Annotated[str, Field(description="A decimal; a card-hour is a thousandth of it in PFLOPS·hours")]
    source_kind: Annotated[
        Literal["maker", "benchmark", "secondary"],
        Field(description="The maker's own figure; the rated value of a published benchmark; somebody else's table"),
    ]
    source: str
    source_url: str
    as_of: Annotated[date, Field(description="When the source is of, or was read where it has no date")]


class AcceleratorsRead(Read):
    """The table that holds today. What was converted by an earlier one stays as it was."""

    version_on: date
    measure: str
    accelerators: tuple[AcceleratorRead, ...]


class UnitRead(Read):
    """A unit that lines of bills are counted in."""

    code: str
    en: str
    zh: str
    counts: str


@router.get("/accelerators")
def read_accelerators() -> AcceleratorsRead:
    """The table by which card-hours become PFLOPS·hours (FP16, dense), so that different cards compare."""
    return AcceleratorsRead.model_validate(published_table())


@router.get("/units")
def read_units() -> tuple[UnitRead, ...]:
    """The usual units. Which of them a category of a programme knows, its rules say (`category_units`)."""
    return tuple(UnitRead.model_validate(unit) for unit in UNITS)
