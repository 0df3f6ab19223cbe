"""The published schema: a file equal to the code's, every field described in both languages, examples that hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from app.kernel.places import FORMS, field_errors, in_language
from app.services.rules.checks import check
from app.services.rules.model import Rules
from app.services.rules.schema import EXAMPLES, document_schema, halves, said_of

PUBLISHED = Path(__file__).parents[2] / "openapi" / "rules.schema.json"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
SCHEMA = document_schema()
FLAT = {"kind": "flat", "rate": "0.30"}


def document(**changes: Any) -> dict[str, Any]:
    return {"categories": ["training"], "rate": FLAT} | changes


def properties(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, list):
        for inner in schema:
            yield from properties(inner, place)
    if isinstance(schema, dict):
        for name, inner in schema.get("properties", {}).items():
            yield f"{place}/{name}", inner
        for name, inner in schema.items():
            if name != "examples":
                yield from properties(inner, f"{place}/{name}")


def test_the_published_file_is_the_codes_schema() -> None:
    assert json.loads(PUBLISHED.read_text()) == SCHEMA, "write openapi/rules.schema.json anew and read the difference"


def test_it_is_a_valid_schema_of_its_draft() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"$id", "title", "description"} <= SCHEMA.keys()


def test_every_field_is_described_in_english_and_chinese() -> None:
    described = dict(properties(SCHEMA))
    assert len(described) > 150
    for place, schema in described.items():
        english, chinese = halves(schema.get("description", ""))
        assert re.match("[A-Za-z0-9]", english), f"{place}: {english!r}"
        assert CHINESE.search(chinese), f"{place}: {chinese!r}"


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_examples_fit_the_schema_the_model_and_the_checks(example: dict[str, Any]) -> None:
    Draft202012Validator(SCHEMA).validate(example)
    assert check(Rules.model_validate(example)) == ()


def test_a_stored_document_fits_the_schema_in_its_rows() -> None:
    written = Rules.model_validate(
        document(
            rate={"kind": "cases", "cases": [], "otherwise": None}
            | {
                "cases": [
                    {
                        "when": {"kind": "not", "of": {"kind": "is", "fact": "holder.tags", "one_of": ["初创"]}},
                        "rate": {"kind": "by", "fact": "holder.tags", "rates": {"高新": "0.4", "专精特新": "0.35"}},
                    }
                ],
                "otherwise": {"kind": "fixed", "fact": "claim.tier", "amounts_fen": {"一等": 100}},
            },
            caps=[{"scope": "firm", "name": "a", "limit_by": "claim.project_level", "limits_fen": {"国家级": 300}}],
        )
    )
    stored = json.loads(written.canonical())
    assert stored["caps"][0]["limits_fen"] == [{"value": "国家级", "limit_fen": 300}]
    Draft202012Validator(SCHEMA).validate(stored)
    assert Rules.model_validate(stored) == written


def test_the_meaning_of_a_field_follows_its_kind() -> None:
    flat, fixed = document(), document(rate={"kind": "fixed", "fact": "claim.tier", "amounts_fen": {"一": 1}})
    assert said_of(["rate", "rate"], flat)[1] == "补贴比例"
    assert said_of(["rate", "amounts_fen", "一"], fixed)[1] == "各等级金额（分）"
    assert said_of(["validity", "months"], document(validity={"kind": "months", "months": 3})) == ("How many.", "月数")
    assert said_of(["categories", 0], flat)[1] == "补贴的服务类别（含下级）"
    assert said_of(["nowhere"], flat) == ("", "")


BAND = {"up_to_fen": 5, "rate": FLAT}


@pytest.mark.parametrize(
    ("changes", "code", "pointer", "english", "chinese"),
    [
        ({"discount": 1}, "extra_forbidden", "/discount", "no field of this name", "没有该名称"),
        ({"rate": FLAT | {"rate": 0.3}}, "string_type", "/rate/rate", "in quotes", "引号"),
        ({"rate": FLAT | {"rate": "30%"}}, "string_pattern_mismatch", "/rate/rate", "from 0 to 1", "0 至 1"),
        ({"rate": {"kind": "flat"}}, "missing", "/rate/rate", "missing", "缺少"),
        ({"rate": {"kind": "flut"}}, "union_tag_invalid", "/rate", "flut is none of", "不是可选值"),
        ({"validity": {}}, "union_tag_not_found", "/validity", "needs 'kind'", "缺少"),
        ({"grace_days": "3"}, "int_type", "/grace_days", "whole number", "整数"),
        ({"grace_days": 1.5}, "int_type", "/grace_days", "whole number", "整数"),
        ({"grace_days": -1}, "greater_than_equal", "/grace_days", "0 or more", "不小于 0"),
        ({"mode": "gift"}, "literal_error", "/mode", "must be", "须为"),
        ({"category_parents": {"GPU 卡": "a"}}, "string_pattern_mismatch", "/category_parents/GPU 卡", "short", "小写"),
        ({"validity": {"kind": "days"}}, "missing", "/validity/days", "missing", "缺少"),
        ({"validity": {"kind": "days", "days": 0}}, "greater_than_equal", "/validity/days", "1 or more", "不小于 1"),
        ({"validity": {"kind": "date", "until": "soon"}}, "date_parsing", "/validity/until", "day", "日期"),
        (
            {"validity": {"kind": "date", "until": "2026-02-30"}},
            "date_from_datetime_parsing",
            "/validity/until",
            "day",
            "日期",
        ),
        (
            {"rate": {"kind": "bracket", "method": "marginal", "bands": [BAND]}},
            "value_error",
            "/rate",
            "there would be a gap",
            "空档",
        ),
        (
            {"rate": {"kind": "bracket", "method": "marginal", "bands": [BAND, BAND, {"rate": FLAT}]}},
            "value_error",
            "/rate",
            "overlap",
            "重叠",
        ),
        (
            {"rate": {"kind": "cases", "cases": [{"when": {"kind": "any", "of": [{"kind": "is"}]}, "rate": FLAT}]}},
            "missing",
            "/rate/cases/0/when/of/0/fact",
            "missing",
            "缺少",
        ),
        (
            {"caps": [{"scope": "firm", "name": "a", "limit_fen": 1, "per": {"months": 0}}]},
            "greater_than_equal",
            "/caps/0/per/months",
            "1 or more",
            "不小于 1",
        ),
        (
            {"rate": {"kind": "by", "fact": "holder.tags", "rates": [{"value": "初创", "rate": "9"}]}},
            "string_pattern_mismatch",
            "/rate/rates/0",
            "from 0 to 1",
            "0 至 1",
        ),
        ({"v": 1, "cap": {"limit_fen": -1}}, "greater_than", "/cap/limit_fen", "more than 0", "大于 0"),
        ({"v": 1, "minimum_bill_fen": -1}, "greater_than", "/minimum_bill_fen", "more than 0", "大于 0"),
    ],
)
def test_what_the_model_refuses_is_told_at_its_place_in_the_document(
    changes: dict[str, Any], code: str, pointer: str, english: str, chinese: str
) -> None:
    given = document(**changes)
    with pytest.raises(ValidationError) as refused:
        Rules.model_validate(given)
    told = field_errors(refused.value.errors(), given)
    assert (told[0].code, told[0].pointer) == (code, pointer)
    assert {one.pointer for one in told} <= {pointer, f"{pointer}/of/0/one_of", "/rate/cases/0/when/of/0/one_of"}
    assert english in in_language(told[0].detail or "", "en")
    assert chinese in in_language(told[0].detail or "", "zh")


def test_a_rate_above_one_is_told_at_its_place() -> None:
    given = document(rate=FLAT | {"rate": "1.3"})
    with pytest.raises(ValidationError) as refused:
        Rules.model_validate(given)
    [told] = field_errors(refused.value.errors(), given)
    assert (told.pointer, told.actual) == ("/rate/rate", "1.3")
    assert CHINESE.search(in_language(told.detail or "", "zh"))


def test_every_pattern_of_the_rules_has_words() -> None:
    patterns = set(re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(SCHEMA)))
    assert {json.loads(pattern) for pattern in patterns} == set(FORMS)


def test_a_rate_of_no_kind_is_told_to_need_one() -> None:
    """Only the first format wrote a rate without its kind, as `{"rate": "0.30"}`."""
    with pytest.raises(ValidationError) as refusal:
        Rules.model_validate({"categories": ["compute"], "rate": {"bands": []}})
    (error,) = refusal.value.errors()
    assert (error["type"], error["loc"]) == ("union_tag_not_found", ("rate",))
