"""The published JSON Schema of rule documents (draft 2020-12), and what each field of a document means.

The schema is made from the model, so it cannot say anything else than the service does. Every property carries its
description in English and Chinese; `said_of` gives both for a place of a document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from app.services.rules.model import Rules

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:compute-vouchers:schema:rules:2"
TITLE = "Rules of a voucher programme / 券项目规则"
DESCRIPTION = (
    "What a programme grants, to whom, for what, how much at most, and until when. Amounts are whole fen, rates and"
    " quantities decimal strings. What contradicts itself is refused by the service's checks, which see more than a"
    " schema can. 项目补贴规则：补贴对象、范围、比例、上限与期限。金额为整数分，比例与数量为十进制字符串。"
)

SUBSCHEMAS = ("anyOf", "oneOf", "allOf")
TAGS = ("kind", "scope")
"""The fields by which the alternatives of a part are told apart."""

TABLES = {"rates": "rate", "amounts_fen": "amount_fen", "limits_fen": "limit_fen", "entitlements_fen": "limit_fen"}
"""Tables by value, and the column of what holds for each: they may be written as an object or as a list of rows."""

EXAMPLES: tuple[dict[str, Any], ...] = (
    {
        "categories": ["training", "inference"],
        "rate": {"kind": "flat", "rate": "0.30"},
        "caps": [{"scope": "firm", "name": "firm_year", "limit_fen": 800_000_000}],
    },
    {
        "basis": {
            "documents": ["×经信〔2026〕1号"],
            "assumptions": ["The text names no method for the brackets; marginal is chosen. 文本未明确分档计算方法"],
        },
        "categories": ["compute"],
        "excluded_categories": ["storage"],
        "category_parents": {"training": "compute", "inference": "compute", "storage": "compute"},
        "requirements": [
            {
                "name": "registered_here",
                "when": {"kind": "in_region", "fact": "holder.region_code", "regions": ["330100"]},
                "zh": "在本市注册",
                "en": "Registered in the city",
            }
        ],
        "rate": {
            "kind": "bracket",
            "method": "marginal",
            "bands": [
                {"up_to_fen": 50_000_000, "inclusive": True, "rate": {"kind": "flat", "rate": "0.50"}},
                {"rate": {"kind": "flat", "rate": "0.30"}},
            ],
        },
        "rounding": {"unit_fen": 100, "mode": "floor"},
        "validity": {"kind": "months", "months": 12},
        "fund_sources": [{"source": "province", "share": 1}, {"source": "city", "share": 1}],
    },
)
"""Documents that the service takes as they stand."""


def document_schema() -> dict[str, Any]:
    """The JSON Schema of a rule document, a fresh copy for each caller."""
    made = Rules.model_json_schema()
    made.pop("title", None)
    made.pop("description", None)
    for part in made["$defs"].values():
        for name, column in TABLES.items():
            if name in part.get("properties", {}):
                part["properties"][name] = _table(part["properties"][name], column)
    head = {"$schema": DIALECT, "$id": ID, "title": TITLE, "description": DESCRIPTION}
    return {**head, **made, "examples": [dict(example) for example in EXAMPLES]}


def said_of(keys: Sequence[str | int], document: Any) -> tuple[str, str]:
    """What the field at a place of a document means, in English and Chinese.

    An item of a list and an entry of a table have the meaning of their list or table. Both are empty for a place that
    no document has.
    """
    schema = _schema()
    candidates = [schema]
    here, description = document, ""
    for key in keys:
        found = [
            inner for one in candidates for inner in _below(one, key, here) if inner is not False and inner is not True
        ]
        description = next((one["description"] for one in found if "description" in one), description)
        candidates = found
        here = _value(here, key)
    return halves(description)


def halves(description: str) -> tuple[str, str]:
    """A field's description in English and in Chinese, as `said` put them together."""
    english, _, chinese = description.rpartition(". ")
    return (f"{english}." if english else "", chinese)


@cache
def _schema() -> dict[str, Any]:
    return document_schema()


def _table(schema: dict[str, Any], column: str) -> dict[str, Any]:
    """A table in both its forms, with the bounds that each of them has in JSON Schema."""
    least, most = schema.pop("minProperties", 0), schema.pop("maxProperties")
    by_value = {name: schema.pop(name) for name in ("type", "additionalProperties", "propertyNames")}
    row = {
        "type": "object",
        "additionalProperties": False,
        "required": ["value", column],
        "properties": {
            "value": {"description": "A value of the fact. 事实的取值", **by_value["propertyNames"], "type": "string"},
            column: {
                "description": "What holds for this value. 该取值对应的比例或金额",
                **by_value["additionalProperties"],
            },
        },
    }
    as_object = {**by_value, "minProperties": least, "maxProperties": most}
    as_rows = {"type": "array", "items": row, "minItems": least, "maxItems": most}
    return {**schema, "anyOf": [as_object, as_rows]}


def _below(schema: Mapping[str, Any], key: str | int, here: Any) -> Iterator[Any]:
    """The schemas that hold for a key of a value, over all the alternatives that fit the value."""
    for one in _alternatives(schema):
        properties = one.get("properties")
        if isinstance(properties, dict) and key in properties:
            if _fits(properties, here):
                yield properties[key]
        elif isinstance(one.get("additionalProperties"), dict):
            yield _without_words(one["additionalProperties"])
        elif isinstance(one.get("items"), dict) and isinstance(key, int):
            yield _without_words(one["items"])


def _alternatives(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "$ref" in schema:
        yield from _alternatives(_schema()["$defs"][schema["$ref"].rsplit("/", 1)[1]])
        return
    inner = [one for name in SUBSCHEMAS for one in schema.get(name, ())]
    if not inner:
        yield schema
    for one in inner:
        yield from _alternatives(one)


def _fits(properties: Mapping[str, Any], here: Any) -> bool:
    for tag in TAGS:
        if tag in properties and isinstance(here, dict) and tag in here:
            allowed = properties[tag].get("enum", [properties[tag].get("const")])
            if here[tag] not in allowed:
                return False
    return True


def _without_words(schema: Mapping[str, Any]) -> dict[str, Any]:
    """An item says nothing of its own: what its type says in general is less than what its list says."""
    return {name: value for name, value in schema.items() if name != "description"}


def _value(here: Any, key: str | int) -> Any:
    if isinstance(here, dict):
        return here.get(str(key))
    if isinstance(here, list) and isinstance(key, int) and key < len(here):
        return here[key]
    return None
