"""The empty lists that registrars and officials download and fill in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from app.services.registry_lists.words import LAYOUTS, Field, ListKind
from app.services.sheets.list_template import write_list_template

VERSIONS: Mapping[ListKind, str] = {kind: f"voucher-{kind}-list/1" for kind in ListKind}

_DAYS = (Field.REGISTERED_ON, Field.SINCE_ON, Field.UNTIL_ON, Field.FROM_ON)
_NO, _YES = "否", "是"
_GUIDE: Mapping[Field, tuple[str, str, str]] = {
    Field.USCC: (_YES, "18 位，文本格式。", "18 characters, as text."),
    Field.MAKER_NO: (
        _NO,
        "无法人资格的创客团队填写，与统一社会信用代码二选一。",
        "For makers without legal personality, in place of the credit code.",
    ),
    Field.NAME: (
        _YES,
        "登记名称，按原样保存；比对时不计括号、全半角和空格。",
        "Stored as given; compared without widths, brackets, spaces.",
    ),
    Field.REGION: (
        _NO,
        "六位代码或区划名称（如 330106 或 西湖区）；留空为上传时填写的地区。",
        "Code or name; where it is empty the region that is uploaded for.",
    ),
    Field.SIZE: (_NO, "微型、小型、中型或大型。", "micro, small, medium or large."),
    Field.INDUSTRY: (_NO, "所属行业。", "Industry."),
    Field.GROUP: (_NO, "所属集团，用于集团累计上限。", "Declared group, for caps that count all its firms."),
    Field.REGISTERED_ON: (_NO, "如 2020-05-06。", "Such as 2020-05-06."),
    Field.PROVIDER_KIND: (_NO, "算力或诊断；首次登记必填。", "compute or assessment; needed for a new provider."),
    Field.FACILITY_CLASS: (_NO, "国产或其他。", "domestic or other."),
    Field.CARDS: (_NO, "整数，不少于各机房之和。", "A whole number, no less than its sites' together."),
    Field.PFLOPS: (_NO, "FP16 稠密算力，最多六位小数。", "FP16, dense, six decimals at most."),
    Field.RACKS: (_NO, "整数。", "A whole number."),
    Field.SITE_CODE: (
        _NO,
        "字母、数字、- 或 _；每个机房一行，同一供给方可有多行。",
        "Letters, digits, - or _. One line for each site of a provider.",
    ),
    Field.SITE_NAME: (_NO, "填写机房编号时必填。", "Needed with a site's code."),
    Field.SITE_REGION: (_NO, "填写机房编号时必填。", "Needed with a site's code."),
    Field.SITE_FACILITY_CLASS: (_NO, "与供给方不同时填写。", "Where it differs from the provider's."),
    Field.SITE_CARDS: (_NO, "该机房加速卡数量。", "Of this site."),
    Field.SITE_PFLOPS: (_NO, "该机房算力规模。", "Of this site."),
    Field.TAG: (
        _NO,
        "如 高新、专精特新、小巨人、培育库；留空为上传时填写的标签。",
        "Where it is empty the tag that is uploaded for.",
    ),
    Field.SINCE_ON: (_NO, "首日；留空为上传时填写的日期。", "First day; where it is empty that of the upload."),
    Field.UNTIL_ON: (_NO, "末日（含）；长期有效留空。", "Last day, included; empty where there is none."),
    Field.EVIDENCE: (_NO, "认定文号或证书编号。", "Number of the document or certificate."),
    Field.REASON: (_YES, "列入失信名单的原因。", "Why it is on the list."),
    Field.DOCUMENT_NO: (_YES, "决定文号；同一主体同一文号只列入一次。", "The decision; one entry for each."),
    Field.FROM_ON: (_YES, "首日。", "First day."),
    Field.CHECKPOINTS: (
        _NO,
        "申领、发放、核销、支付，多项用顿号分隔；留空为申领、发放、核销。",
        "apply, issue, redeem, pay; where it is empty the first three.",
    ),
}  # fmt: skip


@cache
def write_registry_template(kind: ListKind) -> bytes:
    """The .xlsx of a kind, always the same bytes."""
    layout = LAYOUTS[kind]
    guide = {field: _GUIDE[Field(field)] for field in layout.headings}
    return write_list_template(layout, guide, version=VERSIONS[kind], days=set(_DAYS))
