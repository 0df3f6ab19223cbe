"""Official acts on vouchers, one or many at once: asked for by a maker, done when a checker approves, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Connection, and_, select

from app.kernel.ids import new_id, region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import ApprovalKind, OrganisationKind, Role, VoidGround, VoucherEnd, VoucherStatus
from app.kernel.wording import detail
from app.models import IssuanceBatch, Organisation, Programme, Voucher
from app.services.approvals.requests import Decision, request_approval
from app.services.identity.principals import Caller
from app.services.ledger.fences import try_fences
from app.services.redemption.loading import VoucherKey, lock_vouchers
from app.services.redemption.loading import read_vouchers as read_states
from app.services.redemption.states import VoucherState
from app.services.vouchers.extending import Wanted
from app.services.vouchers.extensions import effects_of
from app.services.vouchers.reads import VoucherRecord, read_vouchers
from app.services.vouchers.related import Finding, find_related, held_of
from app.services.vouchers.status import status_at
from app.sql import now

MOST = 1000
"""Vouchers of one act."""
MAX_ERRORS = 200

T = TypeVar("T")


class Act(StrEnum):
    """What officials do to a voucher."""

    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    VOID = "void"
    EXTEND = "extend"


KINDS: Mapping[Act, ApprovalKind] = {
    Act.FREEZE: ApprovalKind.FREEZE_VOUCHER,
    Act.UNFREEZE: ApprovalKind.UNFREEZE_VOUCHER,
    Act.VOID: ApprovalKind.VOID_VOUCHER,
    Act.EXTEND: ApprovalKind.EXTEND_VOUCHER,
}


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why vouchers are voided, as a word; of related parties with whom, and what proves it, with its hash."""

    ground: VoidGround
    related_to: str | None = None
    evidence: str | None = None
    evidence_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class OfficialAct:
    """An act with what it needs: an extension says until when, a void may say on what ground, all say why."""

    act: Act
    reason: str
    wanted: Wanted | None = None
    grounds: Grounds | None = None

    def command(self) -> dict[str, Any]:
        """What of it is stored and hashed, beside the vouchers."""
        command: dict[str, Any] = {"act": self.act, "reason": self.reason}
        if self.wanted is not None:
            command["last_day"] = self.wanted.last_day.isoformat() if self.wanted.last_day else None
            command["days"] = self.wanted.days
            command["exception_document_no"] = self.wanted.exception_document_no
        if self.grounds is not None:
            command |= {name: value for name, value in asdict(self.grounds).items() if value is not None}
        return command


def request_act(tx: Connection, *, caller: Caller, voucher_id: str, asked: OfficialAct) -> str:
    """Ask a checker to do something to a voucher; returns the approval's id.

    Raises `forbidden`, `voucher_not_found`, `wrong_state` where the act makes no sense now, for an extension what
    `decide_extension` does, and `relation_not_on_record` where firm and provider are not related.
    """
    (voucher,) = _vouchers(tx, caller, [voucher_id])
    effect = _judge_of(tx, [voucher], asked)(voucher)
    command = {"voucher_id": voucher.id, **asked.command(), **_named([(voucher, effect)])}
    return _ask(tx, caller, [voucher], asked, command=command, effect=effect, subject_id=voucher.id)


def request_acts(tx: Connection, *, caller: Caller, voucher_ids: Sequence[str], asked: OfficialAct) -> str:
    """The same for several vouchers of one authority, as one command: all of it is done or nothing.

    Raises `forbidden`; `voucher_not_found` where one is not within reach or of another authority than the first;
    `vouchers_unfit` with each that does not allow it.
    """
    vouchers = _vouchers(tx, caller, voucher_ids)
    places = {voucher_id: index for index, voucher_id in enumerate(voucher_ids)}
    effects = _each(vouchers, _judge_of(tx, vouchers, asked), places)
    summed = ["balance_fen", "held_fen", "released_fen"]
    effect = {
        "act": asked.act,
        "count": len(vouchers),
        **{name: sum(one[name] for one in effects) for name in summed},
        "vouchers": [
            {"voucher_id": voucher.id, **{name: value for name, value in one.items() if name != "act"}}
            for voucher, one in zip(vouchers, effects, strict=True)
        ],
    }
    told = list(zip(vouchers, effects, strict=True))
    command = {"voucher_ids": [voucher.id for voucher in vouchers], **asked.command(), **_named(told)}
    subject_id = new_id("act", vouchers[0].region_code)
    return _ask(tx, caller, vouchers, asked, command=command, effect=effect, subject_id=subject_id)


def locked_for(tx: Connection, command: Mapping[str, Any], decision: Decision) -> dict[VoucherKey, VoucherState]:
    """The vouchers of an approved act, locked in the order of everybody, with the region's fence held shared."""
    ids = command["voucher_ids"] if "voucher_ids" in command else [command["voucher_id"]]
    assert all(region_of(one) == decision.region_code for one in ids), "a voucher's id names its region"
    try_fences(tx, {decision.region_code}, wait=True)
    return lock_vouchers(tx, [(decision.region_code, one) for one in ids], wait=True)


def check_all(
    vouchers: Iterable[VoucherState], command: Mapping[str, Any], check: Callable[[VoucherState], T]
) -> list[T]:
    """What `check` says of each voucher of an approved act; what it raises of some is told of all of them at once."""
    if "voucher_ids" not in command:
        return [check(voucher) for voucher in vouchers]
    listed = list(vouchers)
    return _each(listed, check, {voucher.id: index for index, voucher in enumerate(listed)})


def check_status(act: Act, status: VoucherStatus) -> None:
    """An ended voucher stays as it ended: one that has expired is nothing's to change, swept or not. `wrong_state`."""
    ended = status.value in set(VoucherEnd)
    frozen = status is VoucherStatus.FROZEN
    if ended or (act is Act.FREEZE and frozen):
        raise AppError(Code.WRONG_STATE, actual=status, expected=VoucherStatus.ACTIVE)
    if act is Act.UNFREEZE and not frozen:
        raise AppError(Code.WRONG_STATE, actual=status, expected=VoucherStatus.FROZEN)


def status_of(voucher: VoucherState, *, at: datetime) -> VoucherStatus:
    """The status of a locked voucher at an instant."""
    return status_at(
        at,
        ended_as=voucher.ended_as,
        frozen_at=voucher.frozen_at,
        valid_from=voucher.valid_from,
        redeemable_until=voucher.redeemable_until,
        balance_fen=voucher.balance_fen,
        stands_still=voucher.stands_still,
    )


def wanted_of(command: Mapping[str, Any]) -> Wanted:
    """The extension that a command asks for."""
    last_day = command.get("last_day")
    return Wanted(
        last_day=date.fromisoformat(str(last_day)) if last_day is not None else None,
        days=command.get("days"),
        exception_document_no=command.get("exception_document_no"),
    )


def _vouchers(tx: Connection, caller: Caller, voucher_ids: Sequence[str]) -> list[VoucherRecord]:
    """The vouchers in the order of their ids, all of one authority for which the caller is a maker."""
    caller.require(Role.MAKER)
    at = now(tx)
    found = read_vouchers(tx, caller=caller, voucher_ids=voucher_ids, at=at)
    known = {voucher.id for voucher in found}
    missing = [
        FieldError(f"/voucher_ids/{index}", Code.VOUCHER_NOT_FOUND, actual=one)
        for index, one in enumerate(voucher_ids)
        if one not in known
    ]
    if missing:
        raise AppError(Code.VOUCHER_NOT_FOUND, errors=missing[:MAX_ERRORS] if len(voucher_ids) > 1 else ())
    return found


def _judge_of(
    tx: Connection, vouchers: Sequence[VoucherRecord], asked: OfficialAct
) -> Callable[[VoucherRecord], dict[str, Any]]:
    """Tells what the act would do to a voucher now, or raises what it refuses."""
    keys = [(voucher.region_code, voucher.id) for voucher in vouchers]
    extended = effects_of(tx, read_states(tx, keys), asked.wanted, at=now(tx)) if asked.wanted is not None else {}
    provider_id = asked.grounds.related_to if asked.grounds is not None else None
    found: Mapping[str, Finding | AppError] = {}
    if provider_id is not None:
        _require_provider(tx, provider_id)
        found = find_related(tx, [held_of(one) for one in vouchers], provider_id, at=now(tx))

    def judge(voucher: VoucherRecord) -> dict[str, Any]:
        check_status(asked.act, voucher.status)
        effect = extended.get((voucher.region_code, voucher.id))
        if isinstance(effect, AppError):
            raise effect
        finding = found.get(voucher.id)
        if isinstance(finding, AppError):
            raise finding
        return {
            "act": asked.act,
            "firm": voucher.firm_name,
            "status": voucher.status,
            "balance_fen": voucher.balance_fen,
            "held_fen": voucher.held_fen,
            "released_fen": voucher.balance_fen + voucher.held_fen if asked.act is Act.VOID else 0,
            **(effect.told() if effect is not None else {}),
            **({"related": finding.told()} if finding is not None else {}),
        }

    return judge


def _named(told: Iterable[tuple[VoucherRecord, Mapping[str, Any]]]) -> dict[str, Any]:
    """Of related parties what a command names by id, a voucher each."""
    names = ("firm_id", "relation_ids", "redemption_ids")
    related = [
        {"voucher_id": voucher.id, **{name: effect["related"][name] for name in names}}
        for voucher, effect in told
        if "related" in effect
    ]
    return {"related": related} if related else {}


def _each(vouchers: Sequence[Any], judge: Callable[[Any], T], places: Mapping[str, int]) -> list[T]:
    """What is judged of each; `places` tells where in the list that was sent a voucher stands."""
    judged, errors = [], []
    for voucher in vouchers:
        try:
            judged.append(judge(voucher))
        except AppError as error:
            told = " / ".join(detail(error.code, language, error.context) for language in ("en", "zh"))
            errors.append(
                FieldError(f"/voucher_ids/{places[voucher.id]}", error.code, f"{voucher.id}: {told}", actual=voucher.id)
            )
    errors.sort(key=lambda error: int(error.pointer.rsplit("/", 1)[1]))
    if errors:
        raise AppError(Code.VOUCHERS_UNFIT, count=len(errors), of=len(vouchers), errors=errors[:MAX_ERRORS])
    return judged


def _ask(
    tx: Connection,
    caller: Caller,
    vouchers: Sequence[VoucherRecord],
    asked: OfficialAct,
    *,
    command: dict[str, Any],
    effect: dict[str, Any],
    subject_id: str,
) -> str:
    region_code = vouchers[0].region_code
    authority_id, county_code = _authority_for(tx, caller, vouchers)
    if asked.grounds is not None:
        effect = effect | _told(tx, asked.grounds)
    promised_fen = sum(voucher.balance_fen + voucher.held_fen for voucher in vouchers)
    return request_approval(
        tx,
        caller=caller,
        kind=KINDS[asked.act],
        region_code=region_code,
        authority_id=authority_id,
        county_code=county_code,
        required_role=Role.CHECKER,
        subject_id=subject_id,
        command=command,
        effect=effect,
        amount_fen=promised_fen if asked.act in {Act.VOID, Act.EXTEND} else None,
        reason=asked.reason,
        within_id=vouchers[0].programme_id,
    )


def _told(tx: Connection, grounds: Grounds) -> dict[str, Any]:
    """The grounds for who approves them."""
    told: dict[str, Any] = {"ground": grounds.ground}
    if grounds.related_to is not None:
        told |= {
            "related_to": grounds.related_to,
            "related_name": _require_provider(tx, grounds.related_to),
            "evidence": grounds.evidence,
            "evidence_sha256": grounds.evidence_sha256,
        }
    return told


def _require_provider(tx: Connection, organisation_id: str) -> str:
    """The provider's name. Raises `validation_failed` where the other party is none."""
    name = tx.execute(
        select(Organisation.name).where(
            Organisation.id == organisation_id, Organisation.kind == OrganisationKind.PROVIDER
        )
    ).scalar_one_or_none()
    if name is None:
        error = FieldError("/related_to", "not_a_provider", actual=organisation_id)
        raise AppError(Code.VALIDATION_FAILED, count=1, errors=[error])
    return str(name)


def _authority_for(tx: Connection, caller: Caller, vouchers: Sequence[VoucherRecord]) -> tuple[str, str | None]:
    """For which authority the caller acts on these vouchers: their programmes', or the county's that issued them.

    Raises `voucher_not_found` where it is no single one, or not his.
    """
    region_code = vouchers[0].region_code
    rows = tx.execute(
        select(Programme.authority_id, IssuanceBatch.county_code, IssuanceBatch.authority_id.label("issuer_id"))
        .select_from(Voucher)
        .join(Programme, and_(Programme.region_code == Voucher.region_code, Programme.id == Voucher.programme_id))
        .join(
            IssuanceBatch,
            and_(IssuanceBatch.region_code == Voucher.region_code, IssuanceBatch.id == Voucher.batch_id),
        )
        .where(Voucher.region_code == region_code, Voucher.id.in_([one.id for one in vouchers]))
        .distinct()
    ).all()
    if any(one.region_code != region_code for one in vouchers):
        raise AppError(Code.VOUCHER_NOT_FOUND)
    authorities = {row.authority_id for row in rows}
    if len(authorities) == 1 and caller.holds_in(Role.MAKER, region_code, rows[0].authority_id):
        return rows[0].authority_id, None
    issuers = {(row.issuer_id, row.county_code) for row in rows}
    if len(issuers) == 1 and rows[0].county_code is not None:
        issuer_id, county_code = issuers.pop()
        if caller.holds_in(Role.MAKER, county_code, issuer_id):
            return issuer_id, county_code
    raise AppError(Code.VOUCHER_NOT_FOUND)
