"""An auditor's replay: the stored facts under the stored rules give the stored trace again, to the byte."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select

from app.kernel.canonical import canonical, sha256_hex
from app.kernel.clock import civil_date
from app.kernel.ids import is_id, require_region
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import RecoveryStatus
from app.models import Entry, Recovery, Redemption, Refund, RuleVersion
from app.services import audit
from app.services.identity.principals import Caller
from app.services.programmes.programmes import OFFICIALS
from app.services.redemption.assessing import (
    counts_of_json,
    draw,
    left_of,
    lines_of_facts,
    stored_facts,
    stored_shares,
)
from app.services.redemption.bills import bill_of_facts
from app.services.redemption.commands import HoldRecord, RedemptionRecord
from app.services.redemption.evidence import flagged_again
from app.services.redemption.holds.decisions import trace_of
from app.services.redemption.holds.reads import read_hold
from app.services.redemption.loading import parse_rules
from app.services.redemption.reads import read_redemption
from app.services.redemption.states import DatedRules, Share
from app.services.rules.assess import assess
from app.services.rules.facts import Facts, Line
from app.services.rules.position import Position
from app.sql import now


@dataclass(frozen=True, slots=True)
class StoredAssessment:
    """All that one assessment was made from, as it is stored: canonical JSON texts and what the ledger says of them.

    `refund_facts` is None but for a refund. `amount_fen` was held or drawn, or given back by a refund (from all the
    redemptions of its hold together). `others` are the facts of the other redemptions of the same hold, by id: their
    bills are judged together. The hashes are those of the entry's leaf, None where nothing moved.
    """

    subject_id: str
    judged_at: datetime
    amount_fen: int
    facts: str
    refund_facts: str | None
    others: Mapping[str, str]
    trace: str
    rule_version_id: str
    rule_version_number: int
    rules: str
    rules_sha256: str
    entry_id: str | None
    facts_sha256: str | None
    trace_sha256: str | None


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay came to. `trace` is the one computed now; `differences` names what is not as it is stored."""

    amount_fen: int
    trace: str
    differences: tuple[str, ...]


def read_assessment(tx: Connection, *, caller: Caller, subject_id: str) -> StoredAssessment:
    """The stored assessment of a redemption, a hold or a refund, for officials and auditors within their reach.

    It shows registry facts of the firm, so reading it is an audit event. Raises `forbidden`, `not_found`.
    """
    caller.require(*OFFICIALS)
    region_code = require_region(subject_id, what="redemption")
    record: HoldRecord | RedemptionRecord
    refunds: Sequence[Any] = ()
    if is_id(subject_id, "hld"):
        record = read_hold(tx, caller=caller, hold_id=subject_id)
    else:
        refunds = _refunds(tx, region_code, subject_id) if is_id(subject_id, "rfd") else ()
        redemption_id = refunds[0].redemption_id if refunds else subject_id
        record = read_redemption(tx, caller=caller, redemption_id=redemption_id)
    refund = refunds[0] if refunds else None
    amount_fen = record.amount_fen if isinstance(record, HoldRecord) else record.subsidy_fen
    stored = record if refund is None else refund
    version = tx.execute(
        select(RuleVersion.number, RuleVersion.rules, RuleVersion.rules_sha256).where(
            RuleVersion.region_code == region_code, RuleVersion.id == record.rule_version_id
        )
    ).one()
    leaf = tx.execute(
        select(Entry.leaf).where(Entry.region_code == region_code, Entry.id == stored.entry_id)
    ).scalar_one_or_none()
    hashes = json.loads(leaf) if leaf is not None else {}
    audit.record(tx, caller=caller, region_code=region_code, action="assessment.read", object_id=subject_id, at=now(tx))
    return StoredAssessment(
        subject_id=subject_id,
        judged_at=record.held_at if isinstance(record, HoldRecord) else record.redeemed_at,
        amount_fen=_returned_fen(tx, region_code, refunds) if refunds else amount_fen,
        facts=record.facts,
        refund_facts=None if refund is None else refund.facts,
        others=_others(tx, record) if isinstance(record, RedemptionRecord) else {},
        trace=stored.trace,
        rule_version_id=record.rule_version_id,
        rule_version_number=version.number,
        rules=version.rules,
        rules_sha256=version.rules_sha256,
        entry_id=stored.entry_id,
        facts_sha256=hashes.get("facts"),
        trace_sha256=hashes.get("trace"),
    )


def _refunds(tx: Connection, region_code: str, refund_id: str) -> Sequence[Any]:
    """A refund and what it took from other redemptions of the hold; itself first."""
    asked = tx.execute(select(Refund).where(Refund.region_code == region_code, Refund.id == refund_id)).one_or_none()
    if asked is None:
        raise AppError(Code.NOT_FOUND, what="redemption")
    first_id = asked.because_of_id or asked.id
    return tx.execute(
        select(Refund)
        .where(Refund.region_code == region_code, or_(Refund.id == first_id, Refund.because_of_id == first_id))
        .order_by(Refund.because_of_id.is_not(None), Refund.id)
    ).all()


def _returned_fen(tx: Connection, region_code: str, refunds: Sequence[Any]) -> int:
    """What was given back and what was claimed back; a recovery that became a refund is among the refunds."""
    claimed = tx.execute(
        select(Recovery.amount_fen).where(
            Recovery.region_code == region_code,
            Recovery.refund_id.in_([one.id for one in refunds]),
            Recovery.status != RecoveryStatus.REFUNDED,
        )
    ).scalars()
    given_back_fen: int = sum(one.subsidy_refund_fen for one in refunds)
    return given_back_fen + sum(claimed)


def _others(tx: Connection, redemption: RedemptionRecord) -> dict[str, str]:
    if redemption.hold_id is None:
        return {}
    rows = tx.execute(
        select(Redemption.id, Redemption.facts).where(
            Redemption.region_code == redemption.region_code,
            Redemption.hold_id == redemption.hold_id,
            Redemption.id != redemption.id,
        )
    )
    return {row.id: row.facts for row in rows}


def replay(stored: StoredAssessment) -> Replay:
    """Assess the stored facts again. Pure: needs neither the service nor its database.

    Facts and traces of the first format named less: there the amount is compared, not the bytes.
    """
    judged_on = civil_date(stored.judged_at)
    version = DatedRules(stored.rule_version_id, stored.rule_version_number, judged_on, parse_rules(stored.rules))
    facts = json.loads(stored.facts)
    old = json.loads(stored.trace)
    if stored.refund_facts is not None:
        refund = json.loads(stored.refund_facts)
        position = Position(counts_of_json(refund.get("position", ())))
        given = _left(facts, refund, stored)
        _, amount_fen, trace = left_of(version, given, position, drawn_fen=_step(old, "refund")["drawn_fen"])
    else:
        position = Position(counts_of_json(facts.get("position", ())))
        if "hold" in facts:
            assessment = assess(version.rules, _billed_so_far(facts, stored), position)
            before_fen = facts["hold"]["drawn_fen"]
            bill_fen = bill_of_facts(facts["bill"], {}).total_fen
            amount_fen, _, trace = trace_of(
                version, assessment, stored_shares(facts), drawn_before_fen=before_fen, bill_fen=bill_fen
            )
        else:
            first_format = [Share("", _step(old, "voucher")["balance_fen"], 0)] if facts["v"] == 1 else None
            given = stored_facts(facts, {}, at=stored.judged_at)
            drawing = draw(version, given, position, first_format or stored_shares(facts))
            amount_fen, trace = drawing.drawn_fen, drawing.trace
        trace = flagged_again(bill_of_facts(facts["bill"], {}), version.rules, facts.get("evidence"), trace)
    written = canonical(trace).decode()
    found = _differences(stored, amount_fen, written, same_format=old["v"] == trace["v"])
    return Replay(amount_fen, written, tuple(found))


def _left(facts: Mapping[str, Any], refund: Mapping[str, Any], stored: StoredAssessment) -> Facts:
    """What a refund left of the bills it judged: of one redemption, or of all that its hold had by then."""
    if "hold" not in refund:
        refunded = {int(line): fen for line, fen in refund["refunded"].items()}
        left = _by_number(refund.get("invoice_left", {}).get(refund["redemption"], {}))
        return stored_facts(facts, refunded, at=stored.judged_at, left_fen=left)
    left_of_invoices = refund.get("invoice_left", {})
    own_id, of_hold = refund["redemption"], refund["hold"]
    lines = [
        line
        for one in of_hold["redemptions"]
        for line in _lines(
            facts if one == own_id else json.loads(stored.others[one]),
            of_hold["refunded"].get(one, {}),
            left_of_invoices.get(one, {}),
        )
    ]
    return Facts.read(facts["given"], lines, facts["provider_categories"])


def _billed_so_far(facts: Mapping[str, Any], stored: StoredAssessment) -> Facts:
    """All bills of a hold up to this one, less what had been cancelled of them by then."""
    others = {one: json.loads(text) for one, text in stored.others.items()}
    earlier = sorted(
        (document["hold"]["part_no"], one, document)
        for one, document in others.items()
        if document["hold"]["part_no"] < facts["hold"]["part_no"]
    )
    refunded, left = facts["hold"]["refunded"], facts["hold"].get("invoice_left", {})
    lines = [
        line for _, one, document in earlier for line in _lines(document, refunded.get(one, {}), left.get(one, {}))
    ]
    return Facts.read(facts["given"], [*lines, *_lines(facts, {})], facts["provider_categories"])


_NO_LINES: Mapping[str, int] = {}


def _lines(facts: Mapping[str, Any], refunded: Mapping[str, int], left: Mapping[str, int] = _NO_LINES) -> list[Line]:
    return lines_of_facts(facts, _by_number(refunded), _by_number(left))


def _by_number(lines: Mapping[str, int]) -> dict[int, int]:
    return {int(line): fen for line, fen in lines.items()}


def _differences(stored: StoredAssessment, amount_fen: int, trace: str, *, same_format: bool) -> list[str]:
    facts = stored.facts if stored.refund_facts is None else stored.refund_facts
    found = []
    if amount_fen != stored.amount_fen:
        found.append(f"amount_fen: {stored.amount_fen} / {amount_fen}")
    if same_format and trace != stored.trace:
        found.append("trace")
    if sha256_hex(stored.rules.encode()) != stored.rules_sha256:
        found.append("rules_sha256")
    if stored.entry_id is not None:
        found += ["facts_sha256"] if sha256_hex(facts.encode()) != stored.facts_sha256 else []
        found += ["trace_sha256"] if sha256_hex(stored.trace.encode()) != stored.trace_sha256 else []
    return found


def _step(trace: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(step for step in trace["steps"] if step["step"] == name)
    return found
