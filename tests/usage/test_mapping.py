"""Mapping files: small, and wrong ones are refused key by key."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.services.usage.mapping import MappingError, PriceList, load_mapping

GOOD = (Path(__file__).parent / "trace.toml").read_text()


def refusal_of(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "mapping.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(MappingError) as refusal:
        load_mapping(path)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('job_id = "task"', "", "columns.job_id"),
        ('cards = "gpus"', 'cardz = "gpus"', "columns.cardz"),
        ("v = 1", "v = 2", "v: "),
        ('unit = "s"', 'unit = "h"', "time.unit"),
        ('unit = "s"', "epoch = 2026-01-01T00:00:00", "time.epoch"),
        ('default = "38.50"', "default = 38.50", "prices.default"),
        ('default = "38.50"', 'default = "-1"', "prices.default"),
        ('default = "38.50"', 'default = "0.00"', "above zero"),
        ('"A100-80G" = "26.50"', '"A100-80G" = "26.5x"', "prices.by_gpu_model.A100-80G"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in GOOD
    assert named in refusal_of(tmp_path, GOOD.replace(old, new))


def test_every_wrong_key_is_named_at_once(tmp_path: Path) -> None:
    said = refusal_of(tmp_path, GOOD.replace('job_id = "task"', "").replace('unit = "s"', 'unit = "h"'))
    assert "columns.job_id" in said
    assert "time.unit" in said


@pytest.mark.parametrize("text", ["v = ", b"\xff\xfe"])
def test_what_is_no_toml_is_refused(tmp_path: Path, text: str | bytes) -> None:
    assert "not readable as TOML" in refusal_of(tmp_path, text)


def test_a_model_without_a_price_of_its_own_costs_the_default() -> None:
    prices = PriceList(category="training_inference", default="38.50", by_gpu_model={"A100-80G": "26.50"})
    assert prices.unit_price("A100-80G") == "26.50"
    assert prices.unit_price("H800-80G") == "38.50"
    assert prices.unit_price(None) == "38.50"
