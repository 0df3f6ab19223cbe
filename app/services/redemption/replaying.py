"""An auditor's replay: the stored facts under the stored rules give the stored trace again, to the byte."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from app.database import now
from app.kernel.canonical import canonical, sha256_hex
from app.kernel.clock import civil_date
from app.kernel.ids import is_id, region_of
from app.kernel.problems import AppError, Code
from app.models import Entry, Refund, RuleVersion
from app.services import audit
from app.services.identity.principals import Caller
from app.services.programmes.programmes import OFFICIALS
from app.services.redemption.assessing import counts_of_json, draw, left_of, stored_facts, stored_shares
from app.services.redemption.bills import bill_of_facts
from app.services.redemption.evidence import flagged_again
from app.services.redemption.loading import parse_rules
from app.services.redemption.reads import read_redemption
from app.services.redemption.states import DatedRules, Share
from app.services.rules.position import Position


@dataclass(frozen=True, slots=True)
class StoredAssessment:
    """All that one assessment was made from, as it is stored: canonical JSON texts and what the ledger says of them.

    `refund_facts` is None for a redemption. `amount_fen` was drawn by a redemption, given back by a refund. The hashes
    are those of the entry's leaf, None where a refund moved nothing and so has no entry.
    """

    subject_id: str
    redemption_id: str
    redeemed_at: datetime
    amount_fen: int
    facts: str
    refund_facts: str | None
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
    """The stored assessment of a redemption or a refund, for officials and auditors within their reach.

    It shows registry facts of the firm, so reading it is an audit event. Raises `forbidden`, `not_found`.
    """
    caller.require(*OFFICIALS)
    region_code = region_of(subject_id)
    refund = None
    if region_code is not None and is_id(subject_id, "rfd"):
        refund = tx.execute(
            select(Refund).where(Refund.region_code == region_code, Refund.id == subject_id)
        ).one_or_none()
        if refund is None:
            raise AppError(Code.NOT_FOUND, what="redemption")
    redemption = read_redemption(
        tx, caller=caller, redemption_id=refund.redemption_id if refund is not None else subject_id
    )
    version = tx.execute(
        select(RuleVersion.number, RuleVersion.rules, RuleVersion.rules_sha256).where(
            RuleVersion.region_code == redemption.region_code, RuleVersion.id == redemption.rule_version_id
        )
    ).one()
    entry_id = redemption.entry_id if refund is None else refund.entry_id
    leaf = tx.execute(
        select(Entry.leaf).where(Entry.region_code == redemption.region_code, Entry.id == entry_id)
    ).scalar_one_or_none()
    hashes = json.loads(leaf) if leaf is not None else {}
    audit.record(
        tx,
        caller=caller,
        region_code=redemption.region_code,
        action="assessment.read",
        object_id=subject_id,
        at=now(tx),
    )
    return StoredAssessment(
        subject_id=subject_id,
        redemption_id=redemption.id,
        redeemed_at=redemption.redeemed_at,
        amount_fen=redemption.subsidy_fen if refund is None else refund.subsidy_refund_fen,
        facts=redemption.facts,
        refund_facts=None if refund is None else refund.facts,
        trace=redemption.trace if refund is None else refund.trace,
        rule_version_id=redemption.rule_version_id,
        rule_version_number=version.number,
        rules=version.rules,
        rules_sha256=version.rules_sha256,
        entry_id=entry_id,
        facts_sha256=hashes.get("facts"),
        trace_sha256=hashes.get("trace"),
    )


def replay(stored: StoredAssessment) -> Replay:
    """Assess the stored facts again. Pure: needs neither the service nor its database.

    Facts and traces of the first format named less: there the amount is compared, not the bytes.
    """
    judged_on = civil_date(stored.redeemed_at)
    version = DatedRules(stored.rule_version_id, stored.rule_version_number, judged_on, parse_rules(stored.rules))
    facts = json.loads(stored.facts)
    refund = None if stored.refund_facts is None else json.loads(stored.refund_facts)
    refunded = {} if refund is None else {int(line): fen for line, fen in refund["refunded"].items()}
    position = Position(counts_of_json((facts if refund is None else refund).get("position", ())))
    given = stored_facts(facts, refunded, at=stored.redeemed_at)
    old = json.loads(stored.trace)
    if refund is None:
        first_format = [Share("", _step(old, "voucher")["balance_fen"], 0)] if facts["v"] == 1 else None
        drawing = draw(version, given, position, first_format or stored_shares(facts))
        amount_fen = drawing.drawn_fen
        trace = flagged_again(bill_of_facts(facts["bill"], {}), version.rules, facts.get("evidence"), drawing.trace)
    else:
        drawn_fen = _step(old, "refund")["drawn_fen"]
        _, amount_fen, trace = left_of(version, given, position, drawn_fen=drawn_fen)
    written = canonical(trace).decode()
    found = _differences(stored, amount_fen, written, same_format=old["v"] == trace["v"])
    return Replay(amount_fen, written, tuple(found))


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
