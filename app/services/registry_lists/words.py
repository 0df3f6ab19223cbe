"""The columns of the registry's lists of firms, providers, tags and debarments, and what can be wrong. Words only."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from app.services.sheets import list_words
from app.services.sheets.layouts import Layout


class ListKind(StrEnum):
    """What a list tells of."""

    FIRMS = "firms"
    PROVIDERS = "providers"
    TAGS = "tags"
    DEBARMENTS = "debarments"


class Field(StrEnum):
    """The fields of the lists, by the names that stand in pointers."""

    USCC = "uscc"
    MAKER_NO = "maker_no"
    NAME = "name"
    REGION = "region_code"
    SIZE = "size"
    INDUSTRY = "industry"
    GROUP = "group"
    REGISTERED_ON = "registered_on"
    PROVIDER_KIND = "provider_kind"
    FACILITY_CLASS = "facility_class"
    CARDS = "capacity_cards"
    PFLOPS = "capacity_pflops"
    RACKS = "racks"
    SITE_CODE = "site_code"
    SITE_NAME = "site_name"
    SITE_REGION = "site_region_code"
    SITE_FACILITY_CLASS = "site_facility_class"
    SITE_CARDS = "site_capacity_cards"
    SITE_PFLOPS = "site_capacity_pflops"
    TAG = "tag"
    SINCE_ON = "since_on"
    UNTIL_ON = "until_on"
    EVIDENCE = "evidence"
    REASON = "reason"
    DOCUMENT_NO = "document_no"
    FROM_ON = "from_on"
    CHECKPOINTS = "checkpoints"


HEADINGS: Mapping[Field, tuple[str, ...]] = {
    Field.USCC: (
        "统一社会信用代码", "社会信用代码", "信用代码", "统一信用代码", "uscc", "credit code",
        "unified social credit code",
    ),
    Field.MAKER_NO: ("创客编号", "创客团队编号", "maker_no", "maker"),
    Field.NAME: (
        "名称", "企业名称", "单位名称", "机构名称", "公司名称", "企业全称", "name", "firm", "firm name", "company",
        "organisation", "provider",
    ),
    Field.REGION: (
        "行政区划", "行政区划代码", "地区", "地区代码", "区划代码", "所属区县", "区县", "所在区县", "region",
        "region_code", "region code",
    ),
    Field.SIZE: ("企业规模", "规模", "企业类型", "size"),
    Field.INDUSTRY: ("行业", "所属行业", "industry"),
    Field.GROUP: ("所属集团", "集团", "集团名称", "group"),
    Field.REGISTERED_ON: ("成立日期", "成立时间", "注册日期", "registered_on", "registered on", "founded"),
    Field.PROVIDER_KIND: ("机构类别", "服务类别", "供给方类型", "机构类型", "provider_kind", "kind"),
    Field.FACILITY_CLASS: ("设施类型", "算力类型", "facility_class", "facility class"),
    Field.CARDS: ("加速卡数量", "加速卡", "卡数", "capacity_cards", "cards"),
    Field.PFLOPS: ("算力规模（PFLOPS）", "算力规模", "算力(p)", "pflops", "capacity_pflops"),
    Field.RACKS: ("机架数", "机架", "racks"),
    Field.SITE_CODE: ("机房编号", "机房代码", "站点编号", "site_code", "site code", "site"),
    Field.SITE_NAME: ("机房名称", "站点名称", "site_name", "site name"),
    Field.SITE_REGION: ("机房行政区划", "机房地区", "机房所在区县", "site_region_code", "site_region", "site region"),
    Field.SITE_FACILITY_CLASS: ("机房设施类型", "site_facility_class", "site facility class"),
    Field.SITE_CARDS: ("机房加速卡数量", "机房卡数", "site_capacity_cards", "site_cards", "site cards"),
    Field.SITE_PFLOPS: (
        "机房算力规模（PFLOPS）", "机房算力规模", "site_capacity_pflops", "site_pflops", "site pflops",
    ),
    Field.TAG: ("标签", "企业标签", "资质", "资质名称", "认定类型", "tag"),
    Field.SINCE_ON: ("认定日期", "起始日期", "有效期起", "生效日期", "since_on", "since"),
    Field.UNTIL_ON: (
        "有效期止", "截止日期", "有效期至", "终止日期", "期限届满日", "解除日期", "until_on", "until",
    ),
    Field.EVIDENCE: ("认定文号", "依据", "证书编号", "文件", "evidence"),
    Field.REASON: ("列入原因", "原因", "事由", "失信事由", "reason"),
    Field.DOCUMENT_NO: ("决定文号", "文号", "处罚文号", "决定书文号", "document_no", "document no", "document"),
    Field.FROM_ON: ("列入日期", "起始日", "起始日期", "生效日期", "from_on", "from"),
    Field.CHECKPOINTS: ("限制事项", "限制环节", "checkpoints"),
}  # fmt: skip
"""Every heading that is read; the template writes the first."""

SIZES = {
    "micro": ("微型", "微型企业", "微", "micro"),
    "small": ("小型", "小型企业", "小", "small"),
    "medium": ("中型", "中型企业", "中", "medium"),
    "large": ("大型", "大型企业", "大", "large"),
}
PROVIDER_KINDS = {
    "compute": ("算力", "算力中心", "智算中心", "算力服务", "compute"),
    "assessment": ("诊断", "智评", "评估", "诊断机构", "诊断评估", "评估机构", "assessment"),
}
FACILITY_CLASSES = {"domestic": ("国产", "国产化", "domestic"), "other": ("其他", "其它", "非国产", "进口", "other")}
CHECKPOINTS = {
    "apply": ("申领", "申请", "申报", "apply"),
    "issue": ("发放", "issue"),
    "redeem": ("核销", "使用", "抵扣", "redeem"),
    "pay": ("支付", "拨付", "兑付", "pay"),
}

SENTENCES: Mapping[str, tuple[str, str]] = {
    **list_words.SENTENCES,
    "no_rows": ("There is no line below the headings.", "表头下没有任何明细。"),
    "too_many_rows": ("At most {limit} lines are read; split the list.", "最多读取 {limit} 行，请拆分名单。"),
    "duplicate": (
        "{actual} stands in row {limit} already. Leave one of the two.",
        "{actual} 已出现在第 {limit} 行，请只保留一行。",
    ),
    "row_below_total": (
        "The line stands below a total and would be passed over. Remove the total.",
        "该行位于合计行之后，将不被读取。请删除合计行。",
    ),
    "uscc_not_valid": (
        "{actual} is no unified social credit code: {limit}",
        "“{actual}”不是有效的统一社会信用代码，请核对：应为 18 位，末位为校验码。",
    ),
    "uscc_is_number": (
        "{actual} was taken for a number, of which Excel keeps 15 digits. Format the column as text, enter it again.",
        "{actual} 曾被当作数字，Excel 仅保留 15 位有效数字。请将该列设为文本格式后重新填写。",
    ),
    "maker_no_not_valid": (
        "{actual} is no maker's number: 1 to 64 visible ASCII characters.",
        "“{actual}”不是创客编号：应为 1 至 64 个可见 ASCII 字符。",
    ),
    "one_identifier": (
        "Fill in either the credit code or the maker's number, not both.",
        "统一社会信用代码与创客编号只能填写一项。",
    ),
    "text_unfit": (
        "A text of 1 to {limit} characters on one line is needed here.",
        "此处应为 1 至 {limit} 个字符的单行文字。",
    ),
    "text_formula": (
        "{actual} begins like a formula (= + - @). Write the text itself.",
        "“{actual}”以公式符号（= + - @）开头。请直接填写文字。",
    ),
    "region_unknown": (
        "{actual} is no region of today. Write its code of six digits, such as 330106, or its name within {limit}.",
        "“{actual}”不是现行行政区划。请填写六位代码（如 330106），或 {limit} 范围内的区划名称。",
    ),
    "region_foreign": (
        "{actual} lies outside of where you keep the registry ({limit}).",
        "{actual} 不在您的登记范围（{limit}）内。",
    ),
    "word_unknown": ("{actual} is none of: {limit}.", "“{actual}”无法识别，请填写：{limit}。"),
    "number_unfit": (
        "{actual} is no whole number from 0 to {limit}.",
        "“{actual}”不是 0 至 {limit} 的整数。",
    ),
    "decimal_unfit": (
        "{actual} is no number with at most six decimals, such as 120.5.",
        "“{actual}”不是数值，最多六位小数，如 120.5。",
    ),
    "site_incomplete": (
        "A site needs its code, its name and its region.",
        "机房须同时填写机房编号、机房名称和机房行政区划。",
    ),
    "differs_from_row": (
        "{actual} differs from what row {limit} says of the same organisation.",
        "“{actual}”与第 {limit} 行同一机构的内容不一致。",
    ),
    "profile_unfit": ("{actual}: {limit}", "{actual}：{limit}"),
    "provider_kind_missing": (
        "Of a provider that is not registered yet the kind must be said: {limit}.",
        "尚未登记的供给方须填写机构类别：{limit}。",
    ),
    "registered_elsewhere": (
        "{actual} is registered outside of where you keep the registry.",
        "{actual} 的登记地不在您的登记范围内。",
    ),
    "firm_unknown": (
        "No firm of yours is registered with {actual}. Register it first.",
        "{actual} 未登记为您辖区内的企业，请先登记。",
    ),
    "name_differs": (
        "{actual} is registered as {limit}. Correct the name or the code.",
        "该代码登记的名称为“{limit}”，与“{actual}”不一致。请更正名称或代码。",
    ),
    "tag_missing": (
        "Neither the line nor the request names the tag.",
        "该行与请求均未填写标签。",
    ),
    "since_missing": (
        "Neither the line nor the request says from which day on.",
        "该行与请求均未填写起始日期。",
    ),
    "days_reversed": (
        "The last day {actual} lies before the first, {limit}.",
        "截止日期 {actual} 早于起始日期 {limit}。",
    ),
    "until_past": ("The last day {actual} is over by now.", "截止日期 {actual} 已过。"),
    "tag_overlaps": (
        "{actual} has this tag already for some of these days: {limit}. Ask for an update to change it.",
        "{actual} 在相同日期内已有该标签：{limit}。如需变更，请选择更新。",
    ),
    "too_many_tags": ("{actual} would have more than {limit} tags.", "{actual} 的标签将超过 {limit} 个。"),
}  # fmt: skip
"""What a person can act on, in English and Chinese. `limit` and `actual` also stand in the answer by themselves."""

_COLUMNS: Mapping[ListKind, tuple[Field, ...]] = {
    ListKind.FIRMS: (
        Field.USCC, Field.MAKER_NO, Field.NAME, Field.REGION, Field.SIZE, Field.INDUSTRY, Field.GROUP,
        Field.REGISTERED_ON,
    ),
    ListKind.PROVIDERS: (
        Field.USCC, Field.NAME, Field.REGION, Field.PROVIDER_KIND, Field.FACILITY_CLASS, Field.CARDS, Field.PFLOPS,
        Field.RACKS, Field.SITE_CODE, Field.SITE_NAME, Field.SITE_REGION, Field.SITE_FACILITY_CLASS, Field.SITE_CARDS,
        Field.SITE_PFLOPS,
    ),
    ListKind.TAGS: (Field.USCC, Field.NAME, Field.TAG, Field.SINCE_ON, Field.UNTIL_ON, Field.EVIDENCE),
    ListKind.DEBARMENTS: (
        Field.USCC, Field.NAME, Field.REASON, Field.DOCUMENT_NO, Field.FROM_ON, Field.UNTIL_ON, Field.CHECKPOINTS,
    ),
}  # fmt: skip

_REQUIRED: Mapping[ListKind, tuple[tuple[Field, ...], ...]] = {
    ListKind.FIRMS: ((Field.USCC, Field.MAKER_NO), (Field.NAME,)),
    ListKind.PROVIDERS: ((Field.USCC,), (Field.NAME,)),
    ListKind.TAGS: ((Field.USCC,),),
    ListKind.DEBARMENTS: ((Field.USCC,), (Field.NAME,), (Field.REASON,), (Field.DOCUMENT_NO,), (Field.FROM_ON,)),
}

_OF_THE_PROVIDER = (
    Field.REGION, Field.PROVIDER_KIND, Field.FACILITY_CLASS, Field.CARDS, Field.PFLOPS, Field.RACKS,
)  # fmt: skip
"""What a provider with several sites says in its first line."""

_NAMES: Mapping[ListKind, tuple[str, str]] = {
    ListKind.FIRMS: ("a list of firms", "企业名单"),
    ListKind.PROVIDERS: ("a list of providers", "供给方名单"),
    ListKind.TAGS: ("a list of tags", "企业标签名单"),
    ListKind.DEBARMENTS: ("a debarment list", "失信名单"),
}


def _layout(kind: ListKind) -> Layout:
    columns = _COLUMNS[kind]
    return Layout(
        name_en=_NAMES[kind][0],
        name_zh=_NAMES[kind][1],
        headings={field: HEADINGS[field][0] for field in columns},
        aliases={field: HEADINGS[field] for field in columns},
        amounts=(),
        counted="",
        required=_REQUIRED[kind],
        sentences=SENTENCES,
        shared=_OF_THE_PROVIDER if kind is ListKind.PROVIDERS else (),
        shared_by=Field.USCC,
    )


LAYOUTS: Mapping[ListKind, Layout] = {kind: _layout(kind) for kind in ListKind}


class CellProblem(list_words.ListProblem):
    """Why a cell of a registry's list cannot be taken as it is."""

    sentences = SENTENCES
