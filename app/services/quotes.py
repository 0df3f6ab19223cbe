"""Quotes: what a bill would get now, by the same rules, facts and decisions as its redemption. Nothing is reserved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, select

from app.kernel.clock import civil_date
from app.kernel.codes import region_of_code
from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import ProgrammeStatus, Role
from app.models import Programme
from app.reach import enter
from app.services.identity.principals import Caller
from app.services.programmes.programmes import ProgrammeRecord, read_programme
from app.services.redemption.assessing import Drawing, draw, gather, holders_of
from app.services.redemption.billed_invoices import Billed, ask_invoices
from app.services.redemption.bills import Bill
from app.services.redemption.capacity_counters import read_taken
from app.services.redemption.capacity_uses import days_of
from app.services.redemption.decisions import (
    Refused,
    claims_on,
    pinned_version,
    refuse_asked,
    refuse_assessment,
    refuse_bases,
    refuse_debarred,
    refuse_empty,
    refuse_lines,
    refuse_over_mandate,
    refuse_state,
)
from app.services.redemption.evidence import judge_evidence, judge_units, refusal_of, with_flags
from app.services.redemption.evidence_loading import load_grounds
from app.services.redemption.grounds import Grounds
from app.services.redemption.invoice_bases import bounded
from app.services.redemption.loading import (
    find_vouchers,
    load_admissions,
    load_mandates,
    load_parties,
    load_terms,
    read_voucher,
)
from app.services.redemption.parties import parties_of
from app.services.redemption.payment_codes import PaymentCodeState, refuse_over_limit
from app.services.redemption.positions import Positions
from app.services.redemption.signs import Finding
from app.services.redemption.states import DatedRules, MandateState, Parties, Party, ProgrammeTerms, VoucherState
from app.services.redemption.usage_references import holders_of_references
from app.services.rules.assess import Assessment
from app.services.rules.facts import Facts, Line, Value
from app.services.rules.model import Rules
from app.services.rules.terms import Evidence
from app.services.standing.loading import load_standings
from app.services.vouchers.status import LIVING
from app.sql import now

OFFERED = 200
"""Programmes that a calculator offers at most."""

_NONE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class QuotableProgramme:
    """A published programme with the rules in force today."""

    id: str
    title: str
    region_code: str
    voucher_kind: str
    document_no: str
    rules: Rules
    rule_version_id: str
    rule_version_number: int


@dataclass(frozen=True, slots=True)
class Quote:
    """What a bill would get now. Amounts are fen.

    `refusal` says why it would get nothing; `trace` is that of a redemption. `unstated` are facts that the rules look
    at and nobody gave, `evidence` the documents that they ask for.
    """

    programme_id: str
    voucher_id: str | None
    bill_fen: int
    subsidy_fen: int
    firm_pays_fen: int
    voucher_balance_fen: int | None
    rule_version_id: str
    rule_version_number: int
    assessment: Assessment
    trace: dict[str, Any]
    refusal: AppError | None
    evidence: tuple[Evidence, ...]
    unstated: tuple[str, ...]


def quotable_programmes(tx: Connection, *, caller: Caller) -> list[QuotableProgramme]:
    """The published programmes that have rules in force, newest first. Raises `forbidden` for who gets no quotes."""
    caller.require(Role.FIRM, Role.PROVIDER)
    rows = tx.execute(
        select(Programme)
        .where(Programme.status == ProgrammeStatus.PUBLISHED)
        .order_by(Programme.id.desc())
        .limit(OFFERED)
    ).all()
    terms = load_terms(tx, [(row.region_code, row.id) for row in rows])
    today = civil_date(now(tx))
    found = []
    for row in rows:
        version = terms[row.region_code, row.id].rules_on(today)
        if version is not None:
            found.append(
                QuotableProgramme(
                    id=row.id,
                    title=row.title,
                    region_code=row.region_code,
                    voucher_kind=row.voucher_kind,
                    document_no=row.document_no,
                    rules=version.rules,
                    rule_version_id=version.id,
                    rule_version_number=version.number,
                )
            )
    return found


def judged_by(tx: Connection, *, programme: QuotableProgramme, voucher_id: str) -> QuotableProgramme:
    """The programme with the rules that would judge a bill on this voucher, such as those of its issue."""
    key = (programme.region_code, programme.id)
    voucher = read_voucher(tx, (programme.region_code, voucher_id))
    version = load_terms(tx, [key])[key].rules_for(voucher, {}, at=now(tx)) if voucher else None
    if version is None:
        return programme
    return replace(programme, rules=version.rules, rule_version_id=version.id, rule_version_number=version.number)


def quote(
    tx: Connection,
    *,
    caller: Caller,
    programme_id: str,
    lines: Sequence[Line],
    claim: Mapping[str, Value],
    voucher_id: str | None = None,
    voucher_code: str | None = None,
    payment_code: PaymentCodeState | None = None,
    provider_id: str | None = None,
    amounts_fen: Mapping[str, int] = _NONE,
    bill: Bill | None = None,
) -> Quote:
    """Say what this bill would get now, and why not more.

    A firm asks for itself, with or without one of its vouchers, with or without a provider. A provider asks with a
    voucher's code and the firm's consent: the `payment_code` that was judged to be it (`consent_shown`), else its live
    mandate. Where the `bill` of these lines is given its evidence is judged: the
    provider's as at its redemption, the firm's, which is yet to come, by its units alone.

    Raises `forbidden` for anybody else, `not_found`, `voucher_not_found`, `consent_missing`, `provider_not_admitted`,
    `validation_failed` for facts that are not the claimant's to state.
    """
    caller.require(Role.FIRM, Role.PROVIDER)
    programme = read_programme(tx, caller=caller, programme_id=programme_id)
    enter(tx, [programme.region_code])
    voucher = _voucher(tx, caller, programme, voucher_id, voucher_code)
    at = now(tx)
    consent: MandateState | PaymentCodeState | None = None
    if caller.holds(Role.FIRM):
        firm_id = caller.organisation_id
    else:
        assert voucher is not None, "a provider asks with a voucher"
        firm_id, provider_id = voucher.firm_id, caller.organisation_id
        consent = payment_code or _live_mandate(tx, voucher, caller.organisation_id)
    terms = load_terms(tx, [(programme.region_code, programme.id)])[programme.region_code, programme.id]
    version = _version(terms, voucher, claim, at=at)
    own_lines = bill.assessed_lines() if bill else ()
    if refused := refuse_asked(version.rules, voucher, claim) or refuse_lines(version.rules, own_lines):
        raise refused.problem()

    stated = {**claim, **voucher.terms.claim} if voucher else claim
    billed = Billed(bill, stated, programme.region_code, firm_id, provider_id or "", False) if bill else None
    invoices = ask_invoices(tx, billed) if billed and billed.counts(terms) else None
    claims = claims_on(bill, version.rules, invoices, programme.id) if bill else ()
    used_up = refuse_bases(bill, version.rules, stated, claims, invoices, at=at) if bill and voucher else None
    if used_up is not None and used_up.code is Code.VALIDATION_FAILED:
        raise used_up.problem()
    lines = bounded(lines, claims)
    parties = _parties(tx, programme, firm_id, provider_id)
    facts = gather(version.rules, lines, voucher, parties, claim, at=at, amounts_fen=amounts_fen)
    holders = holders_of(
        terms.kept_for,
        firm_id=firm_id,
        voucher_id=voucher.id if voucher else "",
        holder=parties.holder,
        claim=facts.claim,
    )
    positions = Positions.read(tx, [(programme.region_code, programme.id, kind, of) for kind, of in holders.items()])
    position = positions.of_claim(programme.region_code, programme.id, holders, since=terms.since(at))
    drawing = draw(version, facts, position, voucher.open_shares if voucher else None)
    findings = _findings(tx, caller, programme, version, bill) if bill is not None else ()
    refusal = _refusal(caller, programme, voucher, parties, version, facts, drawing, findings, consent, used_up, at=at)
    subsidy_fen = 0 if refusal else drawing.drawn_fen
    bill_fen = sum(line.amount_fen for line in lines)
    return Quote(
        programme_id=programme.id,
        voucher_id=voucher.id if voucher else None,
        bill_fen=bill_fen,
        subsidy_fen=subsidy_fen,
        firm_pays_fen=bill_fen - subsidy_fen,
        voucher_balance_fen=voucher.balance_fen if voucher else None,
        rule_version_id=version.id,
        rule_version_number=version.number,
        assessment=drawing.assessment,
        trace=with_flags(drawing.trace, findings),
        refusal=refusal,
        evidence=version.rules.evidence,
        unstated=unstated(version.rules, facts),
    )


def unstated(rules: Rules, facts: Facts) -> tuple[str, ...]:
    """The facts that the rules name in conditions, rates and caps and nobody gave, sorted."""
    given = {f"{subject}.{key}" for subject in ("holder", "provider", "claim") for key in getattr(facts, subject)}
    return tuple(sorted(name for name in rules.names if name not in given and not name.startswith("line.")))


def _voucher(
    tx: Connection, caller: Caller, programme: ProgrammeRecord, voucher_id: str | None, voucher_code: str | None
) -> VoucherState | None:
    """The voucher asked about. Who may not see it is told that there is none."""
    key: tuple[str, str] | None = None
    if voucher_id is not None:
        key = (region_of(voucher_id) or "", voucher_id)
    elif voucher_code is not None:
        code = (region_of_code(voucher_code), voucher_code)
        found = find_vouchers(tx, [code]).get(code)
        key = (code[0], found.voucher_id) if found else ("", "")
    elif not caller.holds(Role.FIRM):
        raise AppError(Code.CONSENT_MISSING)
    if key is None:
        return None
    voucher = read_voucher(tx, key)
    firms_own = voucher is not None and caller.holds(Role.FIRM) and voucher.firm_id == caller.organisation_id
    by_code = voucher is not None and voucher_code is not None and caller.holds(Role.PROVIDER)
    if voucher is None or voucher.programme_id != programme.id or not (firms_own or by_code):
        raise AppError(Code.VOUCHER_NOT_FOUND)
    return voucher


def _live_mandate(tx: Connection, voucher: VoucherState, provider_id: str) -> MandateState:
    key = (voucher.region_code, voucher.id, provider_id)
    mandate = load_mandates(tx, [key]).get(key)
    if mandate is None or not mandate.live(now(tx)):
        raise AppError(Code.CONSENT_MISSING)
    return mandate


def _beyond(consent: MandateState | PaymentCodeState | None, drawn_fen: int) -> Refused | None:
    """Why the firm's consent does not reach that far, or None."""
    match consent:
        case PaymentCodeState():
            return refuse_over_limit(consent, amount_fen=drawn_fen)
        case MandateState():
            return refuse_over_mandate(consent, amount_fen=drawn_fen)
    return None


def _parties(tx: Connection, programme: ProgrammeRecord, firm_id: str, provider_id: str | None) -> Parties:
    on, ids = civil_date(now(tx)), {firm_id, provider_id or firm_id}
    found, standings = load_parties(tx, ids, on=on), load_standings(tx, ids)
    of_firm, region_code = standings.get(firm_id), programme.region_code
    if provider_id is None:
        return parties_of(found.get(firm_id, Party()), Party(), None, (of_firm, None), region_code, on=on)
    key = (region_code, programme.id, provider_id)
    admitted_for = load_admissions(tx, [key]).get(key)
    if admitted_for is None:
        raise AppError(Code.PROVIDER_NOT_ADMITTED)
    return parties_of(
        found.get(firm_id, Party()),
        found.get(provider_id, Party()),
        admitted_for,
        (of_firm, standings.get(provider_id)),
        region_code,
        on=on,
    )


def _version(
    terms: ProgrammeTerms, voucher: VoucherState | None, claim: Mapping[str, Value], *, at: datetime
) -> DatedRules:
    """The version that would judge the bill now: the voucher's own, or without a voucher that of the day."""
    version = pinned_version(terms, voucher, claim, at=at) if voucher else terms.rules_on(civil_date(at))
    if version is None:
        raise AppError(Code.PROGRAMME_CLOSED)
    if isinstance(version, Refused):
        raise version.problem()
    return version


def _refusal(
    caller: Caller,
    programme: ProgrammeRecord,
    voucher: VoucherState | None,
    parties: Parties,
    version: DatedRules,
    facts: Facts,
    drawing: Drawing,
    findings: Sequence[Finding],
    consent: MandateState | PaymentCodeState | None,
    used_up: Refused | None,
    *,
    at: datetime,
) -> AppError | None:
    """What a redemption would be refused for at this instant; a firm needs nobody's consent."""
    refused: Refused | None = None
    if voucher is not None:
        refused = refuse_state(voucher, at=at) or refuse_empty(
            voucher, asked_fen=sum(line.amount_fen for line in facts.lines)
        )
    if refused is None and programme.status == ProgrammeStatus.PAUSED:
        refused = Refused(Code.PROGRAMME_PAUSED)
    if refused is None and programme.status not in LIVING:
        refused = Refused(Code.PROGRAMME_CLOSED)
    refused = refused or refuse_debarred(parties)
    if refused is None and caller.holds(Role.PROVIDER) and version.rules.claimant != "provider":
        refused = Refused(Code.CLAIMANT_NOT_PROVIDER, {"claimant": version.rules.claimant})
    if refused is None and (evidence := refusal_of(findings)) is not None:
        return evidence.problem()
    refused = refused or used_up or refuse_assessment(version.rules, facts, drawing.assessment)
    refused = refused or _beyond(consent, drawing.drawn_fen)
    return refused.problem() if refused else None


def _findings(
    tx: Connection, caller: Caller, programme: ProgrammeRecord, version: DatedRules, bill: Bill
) -> tuple[Finding, ...]:
    """What speaks against the bill now. What is billed meanwhile is found by the redemption."""
    if not caller.holds(Role.PROVIDER):
        return tuple(judge_units(bill, version.rules))
    key = (programme.region_code, programme.id, caller.organisation_id)
    looks_beyond = version.rules.bill_checks.look_beyond_the_bill
    grounds = load_grounds(tx, [key]).get(key, Grounds()) if looks_beyond else Grounds()
    if version.rules.bill_checks.capacity.beyond is not None and grounds.declares and (days := days_of(bill)[0]):
        provider = (programme.region_code, caller.organisation_id)
        grounds = replace(grounds, taken=read_taken(tx, provider, set(days.values())))
    refs = {line.usage_ref for line in bill.lines if line.usage_ref is not None}
    billed = holders_of_references(tx, [(programme.region_code, caller.organisation_id, ref) for ref in refs])
    return judge_evidence(
        bill, version.rules, replace(grounds, billed={scope[2]: where for scope, where in billed.items()})
    )
