"""The scheme around the amount: legal basis, conditions, evidence, procedure, what a change brings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from app.services.rules.parts import (
    Day,
    FactName,
    Part,
    PositiveFen,
    RateText,
    Sentence,
    Slug,
    said,
)
from app.services.rules.predicates import Predicate

Checkpoint = Literal["apply", "issue", "redeem", "pay"]


class LegalBasis(Part):
    """Where the rules come from. D1."""

    documents: Annotated[
        tuple[Sentence, ...],
        said("The policy texts by number, the newest first.", "政策文号", max_length=20, strict=False),
    ] = ()
    issuer: Annotated[Sentence | None, said("Who issued them.", "发文机关")] = None
    administered_by: Annotated[Sentence | None, said("The administering bureau.", "业务主管部门")] = None
    finance_bureau: Annotated[Sentence | None, said("The finance bureau.", "财政部门")] = None
    trial_until_on: Annotated[Day | None, said("Last day of a trial.", "试行截止日")] = None
    fair_competition_review: Annotated[
        Sentence | None,
        said("Reference of the fair-competition review; named where local providers are favoured.", "公平竞争审查文号"),
    ] = None
    assumptions: Annotated[
        tuple[Sentence, ...],
        said(
            "What was chosen where the text is silent or ambiguous.",
            "政策文本未明确之处所作的选择",
            max_length=50,
            strict=False,
        ),
    ] = ()


class DeclaredFact(Part):
    """A fact of these rules' own, beside those that every programme knows."""

    name: Annotated[FactName, said("Whose fact, and its name.", "所属与名称")]
    type: Annotated[Literal["words", "number", "date", "yes_no"], said("What its value is.", "取值类型")]
    stated_by: Annotated[
        Literal["official", "claimant"],
        said("Who states it; what claimants may state counts as claimed, not as checked.", "由谁填报"),
    ] = "official"
    en: Annotated[Sentence | None, said("What it means, in English.", "英文说明")] = None
    zh: Annotated[Sentence | None, said("What it means, in Chinese.", "中文说明")] = None


class Name(Part):
    """What something is called, in one language at least."""

    zh: Annotated[Sentence | None, said("In Chinese.", "中文名称")] = None
    en: Annotated[Sentence | None, said("In English.", "英文名称")] = None


class Requirement(Part):
    """A condition of holder, provider or claim, or of each line where it looks at a line's fact. D6, D7."""

    name: Annotated[Slug, said("Its name; the trace quotes it.", "名称，计算过程引用")]
    when: Annotated[Predicate, said("What must hold.", "须满足的条件")]
    checkpoints: Annotated[
        tuple[Checkpoint, ...],
        said(
            "When it is judged: at application, issue, redemption, payment.",
            "审核环节：申领、发放、核销、拨付",
            min_length=1,
            strict=False,
        ),
    ] = ("apply", "issue", "redeem", "pay")
    en: Annotated[Sentence | None, said("The condition as a sentence, in English.", "英文表述")] = None
    zh: Annotated[Sentence | None, said("The condition as a sentence, in Chinese.", "中文表述")] = None


class RelatedParties(Part):
    """What happens where firm and provider are related. D25."""

    action: Annotated[
        Literal["block", "flag"], said("Nothing is granted, or it is only noted.", "不予补贴，或仅提示")
    ] = "block"
    shareholding_at_least: Annotated[
        RateText | None, said("Related from this share on, in either direction.", "持股比例达到此值视为关联")
    ] = "0.25"
    same_controller: Annotated[bool, said("Related by a common controller.", "同一实际控制人")] = True
    same_legal_representative: Annotated[bool, said("Related by a common legal representative.", "同一法定代表人")] = (
        True
    )
    shared_contact: Annotated[bool, said("Related by shared contacts.", "共用联系方式")] = False
    same_group: Annotated[bool, said("Related by belonging to one group.", "同属一个集团")] = False


class Suspension(Part):
    """What becomes of a provider's open business while it is suspended, or once it is delisted. D20, D25."""

    open_holds: Annotated[
        Literal["finish", "stand"],
        said("Whether what it holds may still be billed.", "已有预占可否继续核销：继续或暂停"),
    ] = "finish"
    payments: Annotated[
        Literal["go_on", "stand"],
        said("Whether what it is owed is still paid.", "应付款项是否继续支付：继续或暂停"),
    ] = "go_on"


class Evidence(Part):
    """A document that belongs to a step. D19."""

    document: Annotated[Slug, said("Its kind, such as contract, invoice, payment_proof, usage_record.", "材料种类")]
    checkpoints: Annotated[tuple[Checkpoint, ...], said("When it is due.", "提交环节", min_length=1, strict=False)] = (
        "redeem",
    )
    mandatory: Annotated[bool, said("Whether nothing goes on without it.", "是否必需")] = True
    verified_by: Annotated[
        Literal["manual", "tax_check", "metering", "third_party"], said("How it is checked.", "核验方式")
    ] = "manual"
    en: Annotated[Sentence | None, said("What it must show, in English.", "英文说明")] = None
    zh: Annotated[Sentence | None, said("What it must show, in Chinese.", "中文说明")] = None


class Applying(Part):
    """How firms apply, and how long officials and firms have. D15, D20."""

    at_once: Annotated[
        int, said("Applications of one firm that may be under way together.", "单个企业同时在办的申领数", ge=1, le=1000)
    ] = 1
    in_all: Annotated[
        int | None,
        said(
            "Applications of one firm, those granted counted too; left out: any number.",
            "单个企业在办与已通过的申领总数，不填则不限",
            ge=1,
            le=1000,
        ),
    ] = None
    minimum_fen: Annotated[PositiveFen | None, said("The least one may apply for, in fen.", "最低申领金额（分）")] = (
        None
    )
    maximum_fen: Annotated[PositiveFen | None, said("The most one may apply for, in fen.", "最高申领金额（分）")] = None
    firm_names_validity: Annotated[
        bool, said("Whether the firm may ask for a last day of its own.", "企业可否自行申请有效期截止日")
    ] = False
    first_review: Annotated[
        Literal["none", "county"],
        said("Whether the firm's county reviews before the city does.", "是否先由企业所在区县初审"),
    ] = "none"
    accept_working_days: Annotated[
        int,
        said("Working days within which an application is accepted or returned.", "受理时限（工作日）", ge=1, le=90),
    ] = 5
    decide_working_days: Annotated[
        int, said("Working days from acceptance to the decision.", "审核时限（工作日）", ge=1, le=180)
    ] = 20
    correct_working_days: Annotated[
        int, said("Working days for a correction, unless the official sets others.", "补正时限（工作日）", ge=1, le=90)
    ] = 10

    @model_validator(mode="after")
    def _in_order(self) -> Applying:
        if self.minimum_fen is not None and self.maximum_fen is not None and self.minimum_fen > self.maximum_fen:
            raise ValueError("minimum_fen lies above maximum_fen / 最低申领金额高于最高申领金额")
        if self.in_all is not None and self.in_all < self.at_once:
            raise ValueError("in_all lies below at_once / 申领总数少于同时在办数")
        return self


class Adjustment(Part):
    """What follows a refund or a red-letter invoice: the whole position is recomputed. D24."""

    restores_cap: Annotated[
        bool, said("Whether what is given back may be claimed again under the caps.", "退回后是否恢复申报额度")
    ] = True
    restores_budget: Annotated[
        Literal["same_year", "never"],
        said("Whether money returned in the same year goes back to the pool.", "当年退回是否恢复预算"),
    ] = "same_year"
    penalty: Annotated[RateText, said("Fine as a share of what was obtained wrongly.", "罚款比例")] = "0"
    debarred_months: Annotated[int, said("Months without new vouchers.", "取消资格月数", ge=0, le=240)] = 0


class ExceptionRule(Part):
    """A cap that may be exceeded with special approval. D28."""

    cap: Annotated[Slug, said("The cap's name; its hard_limit_fen is the end.", "可突破的上限名称")]
    needs: Annotated[
        tuple[Literal["reason", "document", "second_approver"], ...],
        said("What an exception needs.", "例外审批要件", min_length=1, strict=False),
    ] = ("reason", "document", "second_approver")
