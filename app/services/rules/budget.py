"""Whose money it is, when it is promised, and who gets what when there is not enough. D13, D14."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.services.rules.parts import (
    Part,
    PositiveFen,
    RateText,
    Slug,
    said,
    table_of,
)
from app.services.rules.predicates import Word


class FundShare(Part):
    """A fund source and its share of every voucher. The first in the list takes a spare fen. D13."""

    source: Annotated[Slug, said("Its name.", "资金来源")]
    share: Annotated[int, said("Its share, as a number in proportion to the others'.", "份额", ge=1, le=1_000_000)]


class Budget(Part):
    """When money is promised. D13."""

    commit_at: Annotated[
        Literal["issue", "hold", "claim_accept", "claim_approve"],
        said("The moment at which the budget is committed.", "预算占用时点"),
    ] = "issue"
    paid_by: Annotated[
        Literal["programme", "home_region"],
        said("The programme's own pools, or the firm's home region.", "由本项目或企业所在地承担"),
    ] = "programme"


class TierQuota(Part):
    """A tier's share of the places or of the money."""

    tier: Annotated[Word, said("The tier.", "等级")]
    share: Annotated[RateText, said("Its share.", "占比")]


class Allocation(Part):
    """Who gets what when there is not enough. D14."""

    method: Annotated[
        Literal["first_come", "ranked", "pro_rata", "lottery", "quota_tiers", "entitlement"],
        said("How the money is given out.", "分配方式：先到先得、排序、按比例、抽签、分级名额、按项目核定"),
    ] = "first_come"
    on_exhaustion: Annotated[
        Literal["partial", "stop", "skip", "waitlist"],
        said(
            "partial: the next gets what is left; stop: nobody after the first that does not fit; skip: the next that"
            " fits; waitlist: stop, and the rest queue in their order.",
            "额度不足时：部分满足、停止、跳过、候补",
        ),
    ] = "partial"
    quotas: Annotated[
        tuple[TierQuota, ...],
        said("For quota_tiers: the share of each tier.", "分级名额占比", max_length=50, strict=False),
    ] = ()
    places: Annotated[
        int | None,
        said(
            "For quota_tiers: how many places there are. The quotas are shares of these then, else of the money.",
            "分级名额总数；填写后各级占比按名额计，否则按资金计",
            ge=1,
            le=1_000_000,
        ),
    ] = None
    entitlements_fen: Annotated[
        dict[Word, PositiveFen],
        said(
            "For entitlement: what a project of each level may get in all, in fen. Without it what is asked counts.",
            "按项目核定：各级别项目的累计最高金额（分）；不填则按申请金额",
            max_length=50,
        ),
        *table_of("limit_fen"),
    ] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _quotas_where_needed(self) -> Allocation:
        if (self.method == "quota_tiers") != bool(self.quotas):
            raise ValueError("quotas belong to quota_tiers, and it needs them / quotas 仅用于且必须用于 quota_tiers")
        if self.places is not None and self.method != "quota_tiers":
            raise ValueError("places belong to quota_tiers / places 仅用于 quota_tiers")
        if self.entitlements_fen and self.method != "entitlement":
            raise ValueError("entitlements_fen belong to entitlement / entitlements_fen 仅用于 entitlement")
        return self
