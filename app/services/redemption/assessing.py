"""From a bill to its assessment: the facts that are looked at, stored and read back, and the trace. Pure.

What is stored with a redemption or a refund is all that the decision was made from, so that an auditor who reads it
years later gets the same bytes (`replay`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from app.kernel.canonical import canonical
from app.kernel.money import split_by_peeling
from app.kernel.vocabulary import Reason
from app.services.redemption.bills import Bill, bill_of_facts
from app.services.redemption.invoice_bases import BaseClaim, BaseUse, within_left
from app.services.redemption.states import DatedRules, GrantTerms, Parties, Party, Share, VoucherState
from app.services.rules.assess import Assessment, assess, split_by_source
from app.services.rules.facts import KNOWN, Facts, Line, Value, VoucherTerms, fits
from app.services.rules.model import Rules
from app.services.rules.position import Bucket, Counter, Kept, Position
from app.services.standing.facts import with_relation

FORMAT = 2
"""Of stored facts and traces. The first one knew neither position nor facts beside the bill."""

Counts = tuple[tuple[Bucket, Counter], ...]

_NONE: Mapping[str, int] = MappingProxyType({})
_NONE_LEFT: Mapping[int, int] = MappingProxyType({})


def gather(
    rules: Rules,
    lines: Sequence[Line],
    voucher: VoucherState | None,
    parties: Parties,
    claim: Mapping[str, Value],
    *,
    at: datetime,
    amounts_fen: Mapping[str, int] = _NONE,
) -> Facts:
    """The facts of one bill, no more of them than the rules look at.

    `claim` is what the claimant states; what officials fixed with the voucher's grant goes before it, and parties that
    are related by what is on record are related whatever else is said. `amounts_fen` are further amounts of the covered
    lines, where they are known.
    """
    terms = voucher.terms if voucher else GrantTerms()
    return Facts(
        lines=at_sites(lines, parties.provider),
        at=at,
        holder=_looked_at(rules, "holder", parties.holder.facts),
        provider=_looked_at(rules, "provider", parties.provider.facts),
        provider_categories=parties.admitted_for,
        claim=_looked_at(rules, "claim", with_relation({**claim, **terms.claim}, parties.relation)),
        amounts_fen=amounts_fen,
        voucher=VoucherTerms(voucher.valid_until, voucher.redeemable_until) if voucher else None,
        layers_fen=terms.layers_fen,
        exceptions_fen=terms.exceptions_fen,
    )


def at_sites(lines: Sequence[Line], provider: Party) -> list[Line]:
    """The lines with the facility class of their site, where it has one of its own."""
    classes = provider.facility_classes
    return [
        replace(line, facility_class=classes[site]) if (site := line.provider_site) in classes and site else line
        for line in lines
    ]


def claimable(rules: Rules, subject: str = "claim") -> frozenset[str]:
    """The facts of a claim, or of a `line`, that the claimant may state under these rules, without `claim.`.

    A document that declares a fact of every programme anew may leave it to the official. What every programme knows of
    a line has a field of its own on the bill and is stated there.
    """
    everywhere = {name: fact.stated_by for name, fact in KNOWN.items()} if subject == "claim" else {}
    stated_by = everywhere | {
        fact.name: fact.stated_by for fact in rules.facts if subject == "claim" or fact.name not in KNOWN
    }
    return frozenset(
        name.removeprefix(f"{subject}.")
        for name, who in stated_by.items()
        if name.startswith(f"{subject}.") and who == "claimant"
    )


def holders_of(
    kept_for: Collection[str], *, firm_id: str, voucher_id: str, holder: Party, claim: Mapping[str, Value]
) -> dict[str, str]:
    """Whose counters a claim adds to, by kind. A firm without a group is a group of its own."""
    ids = {
        "firm": firm_id,
        "group": str(holder.facts.get("group", firm_id)),
        "contract": f"{firm_id}/{contract_no if isinstance(contract_no := claim.get('contract_no'), str) else ''}",
        "voucher": voucher_id,
    }
    return {kind: ids[kind] for kind in sorted(kept_for)}


@dataclass(frozen=True, slots=True)
class Drawing:
    """An assessment against a voucher's balance: what is drawn from which pool, what that counts, and the trace."""

    assessment: Assessment
    drawn_fen: int
    parts: tuple[tuple[str, int], ...]
    """Pool id and fen, in the declared order, zero parts left out. None without a voucher."""
    counted: Counts
    trace: dict[str, Any]


def draw(
    version: DatedRules,
    facts: Facts,
    position: Position,
    shares: Sequence[Share] | None,
    *,
    also_kept: Collection[Kept] = (),
) -> Drawing:
    """Assess, and draw at most what the voucher has free in its pools; without a voucher (None) all that is assessed.

    `also_kept`: the series that the programme's other versions read; the claim is counted in them too. What is drawn
    is peeled over the pools by their balances; without a voucher the trace shows the declared sources.
    """
    assessment = assess(version.rules, facts, position, also_kept=also_kept)
    reductions = list(assessment.reductions)
    steps = [{"step": "rule_version", "id": version.id, "number": version.number}, *assessment.steps]
    parts: tuple[tuple[str, int], ...] = ()
    if shares is None:
        drawn_fen = assessment.amount_fen
        if drawn_fen and len(version.rules.fund_sources) > 1:
            split = split_by_source(version.rules, drawn_fen)
            steps.append({"step": "sources", "parts": [{"source": source, "fen": fen} for source, fen in split]})
    else:
        balance_fen = sum(share.balance_fen for share in shares)
        drawn_fen = min(assessment.amount_fen, balance_fen)
        if drawn_fen < assessment.amount_fen:
            reductions.append({"code": Reason.CAP_VOUCHER, "subsidy_fen": assessment.amount_fen - drawn_fen})
        steps.append({"step": "voucher", "balance_fen": balance_fen, "drawn_fen": drawn_fen})
        parts = peeled(shares, drawn_fen, [share.balance_fen for share in shares])
        if len(shares) > 1:
            steps.append({"step": "sources", "parts": [{"pool": pool_id, "fen": fen} for pool_id, fen in parts]})
    trace = {"v": FORMAT, "steps": steps, "reductions": reductions}
    return Drawing(assessment, drawn_fen, parts, counted_as_drawn(assessment, drawn_fen), trace)


def peeled(shares: Sequence[Share], amount_fen: int, weights: Sequence[int]) -> tuple[tuple[str, int], ...]:
    """An amount over a voucher's pools by their weights, the spare fen to the first; zero parts left out."""
    amounts = split_by_peeling(amount_fen, weights) if amount_fen else []
    return tuple((share.pool_id, part) for share, part in zip(shares, amounts, strict=False) if part)


def counted_as_drawn(assessment: Assessment, drawn_fen: int) -> Counts:
    """What a claim counts where less was drawn than assessed: its grant in proportion, rounded down.

    A claim that drew nothing counts nothing.
    """
    if not drawn_fen:
        return ()
    if drawn_fen == assessment.amount_fen:
        return assessment.counted
    return tuple(
        (bucket, counter._replace(granted_fen=counter.granted_fen * drawn_fen // assessment.amount_fen))
        for bucket, counter in assessment.counted
    )


def left_of(
    version: DatedRules, facts: Facts, position: Position, *, drawn_fen: int, also_kept: Collection[Kept] = ()
) -> tuple[Assessment, int, dict[str, Any]]:
    """Assess what is left of a bill: the entitlement, what goes back of `drawn_fen`, and the trace (E14)."""
    assessment = assess(version.rules, facts, position, also_kept=also_kept)
    returned_fen = max(0, drawn_fen - assessment.amount_fen)
    steps = [
        {"step": "rule_version", "id": version.id, "number": version.number},
        *assessment.steps,
        {"step": "refund", "drawn_fen": drawn_fen, "entitled_fen": assessment.amount_fen, "returned_fen": returned_fen},
    ]
    return assessment, returned_fen, {"v": FORMAT, "steps": steps, "reductions": list(assessment.reductions)}


def claim_facts(
    bill: Bill,
    facts: Facts,
    position: Position,
    holders: Mapping[str, str],
    counted: Counts,
    *,
    provider_id: str,
    number: Mapping[str, str],
    shares: Sequence[Share],
    hold: Mapping[str, Any] | None = None,
    evidence: Mapping[str, Any] | None = None,
    invoices: Sequence[BaseClaim] = (),
    uses: Sequence[BaseUse] = (),
) -> bytes:
    """All the facts that a redemption or a hold was decided from, canonically.

    `number` is the provider's own, by its name. `hold` tells a redemption's place in its hold; the lines of the
    redemptions before it are theirs, and `facts` has the whole bill's lines with this bill's at the end. `evidence` is
    what `grounds_to_store` gives. `invoices` are what was left of the invoice lines, `uses` what is claimed of them.
    """
    own_lines = facts.lines[len(facts.lines) - len(bill.lines) :]
    return canonical(
        {
            "v": FORMAT,
            "provider": provider_id,
            **number,
            **({"hold": hold} if hold else {}),
            **({"evidence": evidence} if evidence is not None else {}),
            **({"invoices": [claim.stored() for claim in invoices]} if invoices else {}),
            **({"invoice_uses": [use.stored() for use in uses]} if uses else {}),
            "provider_categories": sorted(facts.provider_categories or ()),
            "bill": bill.stored(),
            "given": facts.given(),
            "facility_classes": {
                str(number): line.facility_class
                for number, line in enumerate(own_lines, start=1)
                if line.facility_class is not None
            },
            "balances": [{"pool": share.pool_id, "fen": share.balance_fen} for share in shares],
            "position": counts_json(tuple(position.items())),
            "holders": dict(holders),
            "counted": counts_json(counted),
        }
    )


def stored_shares(facts: Mapping[str, Any]) -> list[Share]:
    """What the voucher (or the hold) had free in its pools when the redemption was decided."""
    return [Share(row["pool"], row["fen"], 0) for row in facts["balances"]]


def stored_facts(
    facts: Mapping[str, Any], refunded_fen: Mapping[int, int], *, at: datetime, left_fen: Mapping[int, int] = _NONE_LEFT
) -> Facts:
    """The facts of a redemption again, its lines less what was refunded of each.

    `at` is the redemption's instant: the first format did not store it, nor anything beside the bill. `left_fen` is
    what red-letter invoices have left of lines since.
    """
    categories = facts["provider_categories"]
    lines = lines_of_facts(facts, refunded_fen, left_fen)
    if facts["v"] == 1:
        return Facts(lines=lines, at=at, provider_categories=categories)
    return Facts.read(facts["given"], lines, categories)


def lines_of_facts(
    facts: Mapping[str, Any], refunded_fen: Mapping[int, int], left_fen: Mapping[int, int] = _NONE_LEFT
) -> list[Line]:
    """The lines of a stored bill again, less what was refunded of each, with what was left of their invoice lines."""
    by_number = facts.get("facility_classes", {})
    lines = [
        replace(line, facility_class=by_number.get(str(number)))
        for number, line in enumerate(bill_of_facts(facts["bill"], refunded_fen).assessed_lines(), start=1)
    ]
    for claim in facts.get("invoices", ()):
        number, before_fen = claim["line"], claim["left_fen"]
        line = lines[number - 1]
        counts_fen = min(line.amount_fen, left_fen.get(number, before_fen))
        beside_fen = -(-claim["beside_fen"] * counts_fen // before_fen) if before_fen else 0
        lines[number - 1] = within_left(line, counts_fen, beside_fen)
    return lines


def counts_json(counts: Sequence[tuple[Bucket, Counter]]) -> list[dict[str, Any]]:
    """Counters as they are stored: without zeros, in a fixed order."""
    return [bucket._asdict() | counter._asdict() for bucket, counter in sorted(counts) if any(counter)]


def counts_of_json(counts: Sequence[Mapping[str, Any]]) -> Counts:
    """Stored counters again."""
    return tuple(
        (Bucket(*(row[name] for name in Bucket._fields)), Counter(*(row[name] for name in Counter._fields)))
        for row in counts
    )


def _looked_at(rules: Rules, subject: str, facts: Mapping[str, Value]) -> dict[str, Value]:
    """The facts that the rules look at. One whose value is of another type than they need counts as not given."""
    return {
        key: value
        for key, value in sorted(facts.items())
        if (name := f"{subject}.{key}") in rules.looks_at
        and (expected := rules.fact_types.get(name)) is not None
        and fits(expected, value)
    }
