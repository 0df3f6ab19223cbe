"""Vouchers of a programme that were redeemed at providers related to their firms: what an official looks into."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from app.api.authentication import CallerDep
from app.api.context import ServiceDep
from app.api.fields import AnyId, Read
from app.kernel.vocabulary import VoucherStatus
from app.services.vouchers.related import RelatedRecord, list_related

router = APIRouter(prefix="/v1/programmes/{programme_id}/related-parties", tags=["vouchers"])


class RelatedPartyRead(Read):
    """A voucher, and a provider that is related to its firm at which it was redeemed."""

    voucher_id: str
    status: VoucherStatus
    balance_fen: int
    firm_id: str
    firm_name: str
    provider_id: str
    provider_name: str
    same_person: Annotated[bool, Field(description="Firm and provider are one legal person; no link is needed")]
    relation_ids: Annotated[tuple[str, ...], Field(description="The links on record, alone or in pairs")]
    related_on: Annotated[date, Field(description="The last day, of today and those of the redemptions, it held on")]
    signs: Annotated[
        tuple[str, ...], Field(description="What of it the rules in force look at; nothing where they do not mind")
    ]
    redemption_ids: Annotated[tuple[str, ...], Field(description="Made while both were related, oldest first")]
    redeemed_fen: Annotated[int, Field(description="Of these, net of refunds and recoveries")]


class RelatedPartiesRead(Read):
    """All of them, newest voucher first."""

    data: tuple[RelatedPartyRead, ...]


@router.get("")
def read_related_parties(programme_id: AnyId, caller: CallerDep, service: ServiceDep) -> RelatedPartiesRead:
    """Which vouchers were redeemed at a provider that is on record as related to their firm, today or on that day.

    A link that is recorded later with an earlier first day is found, too. Void such a voucher for `related_party`; what
    was redeemed is refunded or claimed back.
    """
    found = service.database.transact(lambda tx: list_related(tx, caller=caller, programme_id=programme_id))
    return RelatedPartiesRead(data=tuple(_shown(one) for one in found))


def _shown(record: RelatedRecord) -> RelatedPartyRead:
    found = record.finding
    return RelatedPartyRead(
        voucher_id=found.voucher_id,
        status=record.status,
        balance_fen=record.balance_fen,
        firm_id=found.firm_id,
        firm_name=record.firm_name,
        provider_id=found.provider_id,
        provider_name=record.provider_name,
        same_person=found.same_person,
        relation_ids=found.relation_ids,
        related_on=found.related_on,
        signs=found.signs,
        redemption_ids=found.redemption_ids,
        redeemed_fen=found.redeemed_fen,
    )
