"""Where a document is wrong, and what about it: errors of validation as JSON pointers with sentences. Pure.

A sentence is written `English / 中文`; `in_language` takes the half that a reader wants.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.kernel.clock import rfc3339
from app.kernel.money import MAX_FEN
from app.kernel.problems import AppError, FieldError, Scalar

PRIVATE = frozenset(
    {
        "account_no",
        "client_assertion",
        "client_secret",
        "code",
        "contact",
        "digits",
        "login",
        "name",
        "new_password",
        "otp",
        "password",
        "payment_code",
        "secret",
        "token",
        "totp",
    }
)
"""Fields of which a refusal does not tell back what was given: it may be a secret, or a person's."""
SHOWN = 100
"""Characters of a wrong value that are told back."""

OLD_NAMES = {"caps": "cap", "floors": "minimum_bill_fen"}
"""Lists of a rule document that its first format wrote as one value of another name."""

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LIMITS = ("le", "lt", "ge", "gt", "max_length", "min_length", "pattern", "expected", "expected_tags", "multiple_of")
"""What Pydantic calls the bounds of its own errors."""

FORMS: Mapping[str, tuple[str, str]] = {
    r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$": (
        'must be a share from 0 to 1 with at most six decimals, in quotes: 30 % is "0.30"',
        "须为 0 至 1 的比例，至多六位小数并加引号：30% 写作 “0.30”",
    ),
    r"^(0|[1-9][0-9]*)(\.[0-9]{1,8})?$": (
        'must be a decimal number in quotes without sign or thousands, such as "12.5"',
        "须为带引号的十进制数，不含正负号与千分位，如 “12.5”",
    ),
    r"^[a-z][a-z0-9_]{0,31}$": (
        "must be a unit of small letters, digits and _, such as card_hour",
        "须为由小写字母、数字和下划线组成的计量单位，如 card_hour",
    ),
    r"^[a-z][a-z0-9_]{0,62}$": (
        "must be a short name of small letters, digits and _, beginning with a letter",
        "须为以小写字母开头，由小写字母、数字和下划线组成的名称",
    ),
    r"^(holder|provider|line|claim)\.[a-z][a-z0-9_]{0,62}$": (
        "must name a fact as holder.…, provider.…, line.… or claim.…, such as holder.size",
        "须为事实名称，以 holder.、provider.、line. 或 claim. 开头，如 holder.size",
    ),
    r"^[1-9][0-9]{5}$": ("must be a region code of six digits", "须为六位行政区划代码"),
    r"^2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]$": (
        "must be a local time to the minute, such as 2026-10-01T09:00",
        "须为精确到分钟的当地时间，如 2026-10-01T09:00",
    ),
}
"""What a pattern of a rule document means to somebody who reads no patterns."""

WIRE_FORMS: Mapping[str, tuple[str, str]] = {
    r"^[!-~]{1,64}$": (
        "must be 1 to 64 visible ASCII characters without spaces",
        "须为 1 至 64 个可见 ASCII 字符，不含空格",
    ),
    r"^[a-z]{3}_([0-9]{6}_)?[0-9a-z]{26}$": (
        "must be an id as the service gives it, such as hld_330100_ and 26 characters",
        "须为本系统给出的标识，如 hld_330100_ 加 26 个字符",
    ),
    r"^(0\.[0-9]{1,4}|1(\.0{1,4})?)$": (
        'must be a share above 0 and at most 1 with four decimals at most, in quotes: 25 % is "0.25"',
        "须为大于 0、不超过 1 的比例，至多四位小数并加引号：25% 写作 “0.25”",
    ),
    r"^[^\x00-\x1f\x7f]*$": ("must not have control characters", "不得包含控制字符"),
}
"""The same of the patterns that requests have besides."""

SENTENCES: Mapping[str, tuple[str, str]] = {
    "missing": ("this field is missing", "缺少该字段"),
    "timezone_aware": (
        "must have an offset, such as 2027-03-01T10:00:00+08:00",
        "须带时区，如 2027-03-01T10:00:00+08:00",
    ),
    "datetime_parsing": ("must be a time such as 2027-03-01T10:00:00+08:00", "须为时刻，如 2027-03-01T10:00:00+08:00"),
    "datetime_from_date_parsing": (
        "must be a time such as 2027-03-01T10:00:00+08:00",
        "须为时刻，如 2027-03-01T10:00:00+08:00",
    ),
    "extra_forbidden": ("there is no field of this name; check its spelling", "没有该名称的字段，请检查拼写"),
    "string_type": (
        'must be text in quotes; rates, prices and quantities too, such as "0.30"',
        "须为带引号的文本，比例、单价与数量亦然，如 “0.30”",
    ),
    "string_unicode": ("must be text that Unicode knows", "须为有效的 Unicode 文本"),
    "string_pattern_mismatch": ("does not have the form {pattern}", "格式不符，应为 {pattern}"),
    "string_too_short": (
        "is too short; it needs {min_length} character(s) at least",
        "长度不足，至少 {min_length} 个字符",
    ),
    "string_too_long": ("is too long; {max_length} characters at most", "过长，至多 {max_length} 个字符"),
    "too_short": ("has too few items; it needs {min_length} at least", "项数不足，至少 {min_length} 项"),
    "too_long": ("has too many items; {max_length} at most", "项数过多，至多 {max_length} 项"),
    "int_type": ("must be a whole number without quotes; amounts are fen", "须为不带引号的整数，金额单位为分"),
    "int_from_float": ("must be a whole number; amounts are fen", "须为整数，金额单位为分"),
    "int_parsing": ("must be a whole number; amounts are fen", "须为整数，金额单位为分"),
    "bool_type": ("must be true or false", "须为 true 或 false"),
    "greater_than": ("must be more than {gt}", "须大于 {gt}"),
    "greater_than_equal": ("must be {ge} or more", "须不小于 {ge}"),
    "less_than": ("must be less than {lt}", "须小于 {lt}"),
    "less_than_equal": ("must be {le} or less", "须不大于 {le}"),
    "literal_error": ("must be {expected}", "须为 {expected}"),
    "enum": ("must be {expected}", "须为 {expected}"),
    "union_tag_invalid": ("{tag} is none of {expected_tags}", "{tag} 不是可选值，可选：{expected_tags}"),
    "union_tag_not_found": ("needs {discriminator}, which says of what kind it is", "缺少表明类型的 {discriminator}"),
    "model_type": ("must be an object with named fields", "须为含具名字段的对象"),
    "model_attributes_type": ("must be an object with named fields", "须为含具名字段的对象"),
    "dict_type": ("must be an object with named fields", "须为含具名字段的对象"),
    "tuple_type": ("must be a list", "须为列表"),
    "list_type": ("must be a list", "须为列表"),
    "date_type": ("must be a day such as 2026-12-31", "须为日期，如 2026-12-31"),
    "date_parsing": ("must be a day such as 2026-12-31", "须为日期，如 2026-12-31"),
    "date_from_datetime_parsing": ("must be a day such as 2026-12-31", "须为日期，如 2026-12-31"),
    "amount_not_explained": (
        "quantity × unit_price is {limit} fen, amount_fen says {actual}",
        "数量 × 单价为 {limit} 分，amount_fen 为 {actual}",
    ),
    "lines_do_not_add_up": (
        "the lines add up to {limit} fen, total_fen says {actual}",
        "各行合计 {limit} 分，total_fen 为 {actual}",
    ),
    "give_one": ("give exactly one of {limit}", "须且只能填写其中之一：{limit}"),
    "only_for_the_act": ("is for {limit} only, not for {actual}", "仅用于 {limit}，不适用于 {actual}"),
    "needs_both": ("a void of related parties needs {limit}", "因关联关系作废须填写 {limit}"),
    "shorter_than_the_rules": (
        "must be {limit} at least: the rules want so many working days of notice before issuing",
        "按项目规则，发放前公示不得少于 {limit} 个工作日",
    ),
    "listed_twice": ("{actual} is listed twice", "{actual} 重复出现"),
    "only_with_a_hold": ("is for a redemption from a hold: give {limit}", "仅用于按预占核销，须填写 {limit}"),
    "settled_by_the_hold": (
        "was settled when the hold was made; it goes with {limit} only",
        "在预占时已确定，仅可与 {limit} 一同填写",
    ),
    "ends_before_it_begins": ("must not lie before used_from, {limit}", "不得早于 used_from（{limit}）"),
    "ends_before_it_begins_on": ("must not lie before from_on, {limit}", "不得早于 from_on（{limit}）"),
    "less_than_its_sites": (
        "the sites together have {limit}, the provider says {actual}",
        "各机房合计 {limit}，机构填报 {actual}",
    ),
    "missing_for_kind": ("is needed where kind is {limit}", "kind 为 {limit} 时须填写"),
    "not_for_this_kind": ("has no place where kind is {limit}", "kind 为 {limit} 时不得填写"),
    "named_twice": ("{actual} is named more than once", "{actual} 重复填写"),
    "wrong_number_of_digits": (
        "must have {limit} digits, it has {actual}; an invoice's number has 8 or, of a 数电票, 20",
        "须为 {limit} 位数字，现为 {actual} 位；发票号码为 8 位，数电票为 20 位",
    ),
    "only_digits": (
        "may have digits only (and spaces and hyphens between them); take it from the invoice, as text",
        "只能包含数字（数字间可有空格、连字符）；请按票面以文本填写",
    ),
    "invoice_code_missing": (
        "an invoice whose number has 8 digits has a code of 10 or 12 digits: give it too",
        "号码为 8 位的发票须同时填写 10 位或 12 位发票代码",
    ),
    "digital_invoice_has_no_code": (
        "an invoice whose number has 20 digits (数电票) has no code: leave it out",
        "数电票（号码 20 位）没有发票代码，请不要填写",
    ),
    "not_a_uscc": (
        "is not a valid 统一社会信用代码 (18 characters, the last a check character)",
        "不是有效的统一社会信用代码（18 位，末位为校验码）",
    ),
    "goes_with_the_other": ("give both of {limit}, or neither", "须同时填写或同时不填：{limit}"),
    "net_and_tax_do_not_add_up": (
        "net_fen and tax_fen add up to {limit} fen, amount_fen says {actual}",
        "不含税金额与税额合计 {limit} 分，amount_fen 为 {actual}",
    ),
    "invoice_amount_differs": (
        "the same invoice line was given with {limit} fen on an earlier line, here with {actual}",
        "同一发票行在前面的行中填报为 {limit} 分，此处为 {actual} 分",
    ),
    "beyond_the_invoice_line": (
        "the invoice line comes to {limit} fen, the lines billed on it to {actual}",
        "该发票行金额为 {limit} 分，据此计费的各行合计 {actual} 分",
    ),
    "only_for_card_hours": (
        "an accelerator is named for card-hours only; the unit is {actual}",
        "仅以卡时（card_hour）计量的行可填写加速卡，当前单位为 {actual}",
    ),
}
"""What the errors of validation mean to the author of a document; any other speaks for itself."""


TOLD: Mapping[str, tuple[str, str]] = {
    "same_party": ("is the organisation itself", "为该机构自身"),
    "json_invalid": ("is no {limit} from character {actual} on", "自第 {actual} 个字符起不是 {limit}"),
    "out_of_range": ("is out of range; the limit is {limit}", "超出范围，限值为 {limit}"),
    "too_large": ("may be {limit} at most", "至多为 {limit}"),
    "too_many_on_the_hold": ("the bills of one hold have {limit} lines at most", "同一预占的账单至多共 {limit} 行"),
    "no_such_line": ("the bill has {limit} line(s)", "账单共 {limit} 行"),
    "lines_needed": (
        "the bill has {limit} lines: say in `lines` how much of which is cancelled",
        "账单共 {limit} 行，请在 lines 中说明各行取消的金额",
    ),
    "not_for_the_claimant": (
        "is not yours to state; you may state {limit}",
        "不由申报方填写，可填写的事实：{limit}",
    ),
    "not_the_seller": (
        "is not you: the seller of the invoice must be the provider, {limit}",
        "不是本机构：发票销售方须为供给方 {limit}",
    ),
    "not_the_buyer": (
        "is not the voucher's holder: the buyer of the invoice must be the firm that the voucher was issued to",
        "不是持券企业：发票购买方须为券的持有企业",
    ),
    "lies_in_the_future": ("is later than today, {limit}", "晚于今天（{limit}）"),
    "is_a_red_letter": (
        "is a red-letter invoice: name the invoice that it corrects",
        "为红字发票：请填写其对应的蓝字发票",
    ),
    "line_names_no_invoice": ("line {limit} was billed on no invoice", "第 {limit} 行未填写发票"),
    "corrects_one_invoice": (
        "the cancelled lines were billed on {limit} invoices, and a red-letter invoice corrects one: refund each",
        "所取消的各行涉及 {limit} 张发票，一张红字发票只对应一张蓝字发票，请分别退款",
    ),
    "is_the_invoice_itself": (
        "is the invoice that the bill was billed on: give the number of the red-letter invoice",
        "为账单所用的蓝字发票，请填写红字发票的号码",
    ),
    "corrects_another_invoice": (
        "was recorded before, for another invoice",
        "此前已登记为另一张发票的红字发票",
    ),
    "refund_has_a_red_letter": (
        "the refund's red-letter invoice was recorded before",
        "该笔退款的红字发票此前已登记",
    ),
    "claimed_as_an_invoice": (
        "was billed on before, as an invoice of its own",
        "此前已作为蓝字发票用于账单",
    ),
    "not_in_kind": (
        "the programme counts in units, not in money: leave the invoice out",
        "本项目以实物单位计量，不以金额计量，请不要填写发票",
    ),
    "differs_from_before": (
        "was claimed with another amount before; compare it with the invoice or the contract",
        "与首次填报的金额不一致，请核对发票或合同",
    ),
    "unknown_fact": ("the rules know no such fact; they know {limit}", "规则中没有该事实，现有：{limit}"),
    "wrong_fact_type": ("must be of the type {limit}", "类型须为 {limit}"),
    "unknown_value": ("must be one of {limit}", "须为其中之一：{limit}"),
    "too_many_rows": ("are more than {limit} rows: narrow the filters", "超过 {limit} 行，请缩小筛选范围"),
    "needs_a_reason": (
        "{actual} has no reason of its own, and there is none for all",
        "{actual} 未填写理由，也没有统一的理由",
    ),
    "on_another_desk": (
        "lies on another desk than {limit}: ask for those of each desk by themselves",
        "与 {limit} 不在同一办理机构，请按办理机构分别提请",
    ),
    "of_another_programme": ("belongs to another programme than {limit}", "不属于项目 {limit}"),
    "incompatible_roles": (
        "does not go with the role {limit}: one person may not hold both",
        "与角色 {limit} 不相容，同一人不得兼任",
    ),
    "steps_are_fixed": ("the steps of {actual} are fixed", "{actual} 的审批步骤固定，不可设置"),
    "act_of_the_region": (
        "{actual} belongs to no authority; leave authority_id out",
        "{actual} 不属于某一主管部门，请勿填写 authority_id",
    ),
    "last_band_has_no_end": ("the last band takes every amount: null", "最后一档不设上限，须为 null"),
    "not_rising": ("must be more than {limit}", "须大于 {limit}"),
    "fewer_steps": (
        "a higher amount never takes fewer than the {limit} step(s) below it",
        "金额更高的档次，步骤不得少于前一档的 {limit} 步",
    ),
    "not_steps": (
        "must be one to three of checker and finance, not {actual}",
        "须为一至三个步骤，每步为 checker 或 finance，而非 {actual}",
    ),
    "finance_is_missing": ("finance must be among the steps", "步骤中须包含 finance"),
    "checker_comes_first": ("the first step is the authority's checker", "第一步须为 checker"),
    "in_the_past": ("may be {limit} at the earliest", "最早为 {limit}"),
    "not_a_payee": ("is no provider and no firm", "不是服务机构或企业"),
    "needed_by_method": ("is needed: these rules allocate by {limit}", "须填写：本规则的分配方式为 {limit}"),
    "not_for_method": ("does not belong here: these rules allocate by {limit}", "不适用：本规则的分配方式为 {limit}"),
    "firm_has_its_lot": (
        "row {limit} names this firm already; in a lottery each firm has one lot",
        "该企业已在第 {limit} 行，抽签中每家企业仅有一签",
    ),
    "project_has_its_row": ("row {limit} names this project already", "该项目已在第 {limit} 行"),
    "none_reviewed": (
        "no reviewed application of this time waits for a decision",
        "该时段内没有已核定且待发放的申领",
    ),
    "not_as_announced": (
        "must be written as it was announced, # for a digit: {limit}",
        "须按公告的格式填写，# 为一位数字：{limit}",
    ),
    "does_not_wait": ("{actual} is not on the waiting list", "{actual} 不在候补名单上"),
    "not_ahead": ("must lie after {limit}", "须晚于 {limit}"),
}
"""What the places mean that decisions name, where they say nothing themselves."""


def told(error: FieldError) -> str | None:
    """The sentence of a place, `English / 中文`: its own, or that of its code; None where the problem's own says it."""
    if error.detail is not None or error.code not in TOLD:
        return error.detail
    limit = "—" if error.limit in {None, ""} else str(error.limit).replace(" / ", "/")
    return " / ".join(half.format(limit=limit, actual=error.actual) for half in TOLD[error.code])


def field_errors(items: Sequence[Mapping[str, Any]], document: Any) -> list[FieldError]:
    """Errors of Pydantic as places of the document that was given, one for each place.

    Of a value with alternatives (a word or an object) the alternative that was tried in depth is told. A list of which
    only some items are wrong is not called too short besides.
    """
    found: dict[str, FieldError] = {}
    for item in items:
        if _counts_wrong_items_as_missing(item):
            continue
        error = field_error(item, document)
        found.setdefault(error.pointer, error)
    return [
        error
        for error in found.values()
        if error.code != "literal_error" or not any(other.startswith(f"{error.pointer}/") for other in found)
    ]


def field_error(item: Mapping[str, Any], document: Any) -> FieldError:
    """One error of Pydantic as a place of the document, with a sentence in both languages."""
    given = item.get("input")
    actual: str | int | None = None
    if isinstance(given, str):
        actual = _showable(given)
    elif isinstance(given, int) and not isinstance(given, bool):
        actual = given if abs(given) <= MAX_FEN else "too large to show"
    elif isinstance(given, float):
        actual = repr(given)[:SHOWN]
    bounds: Mapping[str, Any] = item.get("ctx") or {}
    if isinstance(given, list | tuple | dict) and "actual_length" in bounds:
        actual = len(given) if bounds["actual_length"] is None else bounds["actual_length"]
    limit = next((bounds[name] for name in ("limit", *_LIMITS) if isinstance(bounds.get(name), str | int)), None)
    if isinstance(told := bounds.get("actual"), str | int):
        actual = told
    field = bounds["field"].split("/") if isinstance(bounds.get("field"), str) else ()
    pointer = pointer_of(item["loc"], document, missing=item["type"] == "missing") + joined(field)
    is_private = item["type"] == "extra_forbidden" or not PRIVATE.isdisjoint(pointer.split("/"))
    if is_private and (told is None or told == given):
        actual = None
    return FieldError(pointer, item["type"], detail=_sentence(item, bounds), limit=limit, actual=actual)


def places_of(error: AppError, pointer: str | None = None) -> tuple[FieldError, ...]:
    """Where a refusal lies: the places it lists, or the one it points at, with the limit and what was asked.

    `pointer` is where it lies if it does not say so itself. One that knows neither a place nor a limit has none.
    """
    if error.errors:
        return error.errors
    place = pointer if error.pointer is None else error.pointer
    limit = _scalar(error.context, "limit_fen", "limit", "expected")
    actual = _scalar(error.context, "actual_fen", "actual")
    if place is None and limit is None and actual is None:
        return ()
    return (FieldError(place or "", error.code, limit=limit, actual=actual),)


def _scalar(context: Mapping[str, Any], *names: str) -> Scalar:
    """The first of these that is known, as JSON has it: fen and counts as numbers, instants as RFC 3339."""
    for name in names:
        match context.get(name):
            case datetime() as at:
                return rfc3339(at)
            case str() | int() as value:
                return value
    return None


def pointer_of(loc: Sequence[str | int], document: Any, *, missing: bool = False) -> str:
    """The JSON pointer of a location of Pydantic's, found by walking the document along it.

    A location also names the alternatives that were tried (`rate`, `flat`, `rate`): what is no key of the document
    is no part of its pointer, unless it is the missing field itself.
    """
    keys: list[str | int] = []
    here = document
    told = False
    """Whether the alternative of this object was named already; a field may bear the same name (days in days)."""
    for place, key in enumerate(loc):
        if isinstance(here, Mapping) and not told and key in (here.get("kind"), here.get("scope")):
            told = True
        elif isinstance(here, Mapping) and key in here:
            keys.append(key)
            here, told = here[key], False
        elif isinstance(here, Mapping) and OLD_NAMES.get(str(key)) in here:
            keys.append(OLD_NAMES[str(key)])
            here, told = here[OLD_NAMES[str(key)]], False
        elif isinstance(here, list | tuple) and isinstance(key, int) and key < len(here):
            keys.append(key)
            here, told = here[key], False
        elif isinstance(here, list | tuple) and (row := _row_of(here, key)) is not None:
            keys.append(row)
            here, told = here[row], False
        elif missing and place == len(loc) - 1:
            keys.append(key)
    return joined(keys)


def _row_of(rows: Sequence[Any], key: str | int) -> int | None:
    """Of a table that was written as a list, the row of a value."""
    return next((n for n, row in enumerate(rows) if isinstance(row, Mapping) and row.get("value") == key), None)


def joined(keys: Sequence[str | int]) -> str:
    """Keys as a JSON pointer (RFC 6901)."""
    return "".join("/" + _showable(str(key)).replace("~", "~0").replace("/", "~1") for key in keys)


def in_language(sentence: str, language: str) -> str:
    """The half of `English / 中文` that a reader of `en` or `zh` wants; any other sentence as it is."""
    english, mark, chinese = sentence.partition(" / ")
    if not mark or not _CHINESE.search(chinese):
        return sentence
    return chinese if language == "zh" else english


def _sentence(item: Mapping[str, Any], bounds: Mapping[str, Any]) -> str:
    pattern = str(bounds.get("pattern"))
    known = FORMS.get(pattern) or WIRE_FORMS.get(pattern) or SENTENCES.get(item["type"])
    if known is not None:
        shown = {**bounds, "tag": _showable(str(bounds.get("tag"))).replace(" / ", "/")}
        return " / ".join(half.format_map(shown) for half in known)
    message: str = item["msg"].removeprefix("Value error, ")
    return message if _CHINESE.search(message) else f"{message} / 填写有误：{message}"


def _showable(given: str) -> str:
    """What somebody wrote, short enough to tell back and without what no JSON can carry."""
    return given[:SHOWN].encode(errors="replace").decode()


def _counts_wrong_items_as_missing(item: Mapping[str, Any]) -> bool:
    given = item.get("input")
    return (
        item["type"] == "too_short"
        and isinstance(given, list | tuple)
        and len(given) >= item["ctx"].get("min_length", 0)
    )
