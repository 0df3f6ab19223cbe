"""The columns of an allocation list (分配名单), and which of them a way of allocating asks for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from app.services.issuance.forms import COMMON, IN_YUAN, Column, Form, Shape
from app.services.issuance.rows import SCORE_DECIMALS
from app.services.issuance.words import MARK_LENGTH, MARKS, Field
from app.services.rules.budget import Allocation

MAX_CANDIDATES = 10_000
"""Rows of one list: a lottery's record is to be read and replayed as one document."""

METHODS: Mapping[str, str] = {
    "first_come": "先到先得",
    "ranked": "按评分排序",
    "pro_rata": "按比例",
    "lottery": "抽签",
    "quota_tiers": "分级名额",
    "entitlement": "按项目核定",
}
"""Ways of allocating, as people call them."""

_MARKS: Mapping[Field, Column] = {
    Field.SCORE: Column(
        "评分",
        (
            f"评审得分，最多 {SCORE_DECIMALS} 位小数，如 87.5；高者优先。",
            f"The reviewers' score with at most {SCORE_DECIMALS} decimals, such as 87.5; the highest is served first.",
        ),
        Shape.NUMBER,
        width=12,
    ),
    Field.TIER: Column("等级", ("须为项目规则所列等级之一", "One of the tiers of the programme's rules"), width=16),
    Field.PROJECT: Column(
        "项目编号",
        (
            f"企业项目的编号，文本，最多 {MARK_LENGTH} 个字符，每个项目一行。",
            f"The number of the firm's project: text, at most {MARK_LENGTH} characters, one row each.",
        ),
    ),
    Field.PROJECT_LEVEL: Column(
        "项目级别", ("须为项目规则所列级别之一", "One of the levels of the programme's rules"), width=16
    ),
}

LIST = Form(
    name="分配名单",
    version="voucher-allocation/1",
    columns={
        **COMMON,
        Field.ASKED: Column("申请金额（元）", IN_YUAN, Shape.AMOUNT, width=18, is_required=True),
        **_MARKS,
    },
    amount=Field.ASKED,
    max_rows=MAX_CANDIDATES,
)
"""Candidates in the order of the list. Whether a mark is needed, or has no place here, the programme's rules say."""


def marks_of(allocation: Allocation) -> dict[Field, bool]:
    """The marks that decide something under these rules, and whether each candidate must have it."""
    if allocation.method == "ranked":
        return {Field.SCORE: True}
    if allocation.method == "quota_tiers":
        return {Field.TIER: True, Field.SCORE: False}
    if allocation.entitlements_fen:
        return {Field.PROJECT: True, Field.PROJECT_LEVEL: True}
    return {}


def words_of(allocation: Allocation) -> dict[Field, Collection[str]]:
    """The words that the rules know for a mark, of those marks of which they list them."""
    tiers = [quota.tier for quota in allocation.quotas]
    return {Field.TIER: tiers, Field.PROJECT_LEVEL: tuple(allocation.entitlements_fen)}


def template_of(allocation: Allocation) -> Form:
    """The columns that a list under these rules has, and no others, with the words that the rules allow in them."""
    known = words_of(allocation)
    columns = {field: column for field, column in LIST.columns.items() if field not in MARKS}
    for field, is_required in marks_of(allocation).items():
        column = replace(_MARKS[field], is_required=is_required)
        if words := known.get(field):
            zh, en = column.guide
            column = replace(column, guide=(f"{zh}：{'、'.join(words)}。", f"{en}: {', '.join(words)}."))
        columns[field] = column
    return Form(LIST.name, LIST.version, columns, LIST.amount, LIST.max_rows)
