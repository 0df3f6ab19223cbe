"""The table of accelerators: every figure has its source, and card-hours become PFLOPS·hours exactly."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from app.kernel.problems import AppError, Code
from app.kernel.rates import decimal_text, parse_decimal
from app.services.evidence.accelerators import known_codes, pflops_hours, published_table
from app.services.evidence.units import UNITS
from tests.world import World, ok


def test_every_card_has_a_figure_a_source_and_a_date() -> None:
    table = published_table()
    assert table.version_on == date(2026, 11, 25)
    assert len(set(known_codes())) == len(table.accelerators)
    for card in table.accelerators:
        tflops = parse_decimal(card.fp16_dense_tflops, max_decimals=2, max_digits=8)
        assert 10 < tflops < 10_000, card.code
        assert card.source
        assert card.source_url.startswith("https://")
        assert card.source_kind in {"maker", "benchmark", "secondary"}
        assert card.as_of <= table.version_on
        assert card.maker_zh
        assert card.name_zh


def test_domestic_and_foreign_cards_compare() -> None:
    origins = {card.code: card.origin for card in published_table().accelerators}
    assert origins["ascend_910b3"] == origins["cambricon_mlu370_x8"] == "domestic"
    assert origins["nvidia_a100"] == origins["nvidia_h20"] == "foreign"


@pytest.mark.parametrize(
    ("card_hours", "code", "expected"),
    [
        ("12.5", "ascend_910b3", "3.9125"),  # 12.5 × 313 / 1000
        ("1", "nvidia_a100", "0.312"),
        ("1000", "nvidia_h800", "989"),
        ("3", "nvidia_l40s", "1.08615"),  # 3 × 362.05 / 1000
        ("0.000001", "nvidia_a40", "0.0000001497"),
        ("999999999999.999999", "nvidia_rtx_4090", "165199999999.9999998348"),
    ],
)
def test_card_hours_become_pflops_hours_exactly(card_hours: str, code: str, expected: str) -> None:
    assert pflops_hours(Fraction(card_hours), code, pointer="/x") == expected


def test_an_unknown_card_is_told_the_known_ones() -> None:
    with pytest.raises(AppError) as refusal:
        pflops_hours(Fraction(1), "tpu_v9", pointer="/bill/lines/0/accelerator")
    assert refusal.value.code is Code.ACCELERATOR_NOT_KNOWN
    (error,) = refusal.value.errors
    assert (error.pointer, error.actual) == ("/bill/lines/0/accelerator", "tpu_v9")
    assert "ascend_910b3" in str(error.limit)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(Fraction(0), "0"), (Fraction(5), "5"), (Fraction(1, 8), "0.125"), (Fraction(1205, 100), "12.05")],
)
def test_a_decimal_is_written_with_no_more_digits_than_it_needs(value: Fraction, expected: str) -> None:
    assert decimal_text(value) == expected


def test_a_third_is_no_decimal() -> None:
    with pytest.raises(ValueError, match="no end"):
        decimal_text(Fraction(1, 3))


def test_table_and_units_are_open_to_all(world: World) -> None:
    with world.anonymous() as anybody:
        table = ok(anybody.get("/v1/accelerators"))
        units = ok(anybody.get("/v1/units"))
    assert table["version_on"] == "2026-11-25"
    assert {"code": "nvidia_a100", "fp16_dense_tflops": "312"}.items() <= {
        card["code"]: card for card in table["accelerators"]
    }["nvidia_a100"].items()
    assert [unit["code"] for unit in units] == [unit.code for unit in UNITS]
    assert {"card_hour", "pflops_hour", "million_token", "report"} <= {unit["code"] for unit in units}
