"""SQL for what redemptions, holds, refunds and recoveries say they counted, cut out of their facts as text.

To parse all of a claim's facts takes ten times as long. A key in quotes stands in no string of JSON, where a quote is
escaped; a fact of the same name holds words or numbers, never an object or a list of objects. What is named as somebody
likes and holds an object (a usage reference that was billed before, a site) stands in the evidence, before the holders.
"""

from __future__ import annotations


def holders_of(facts: str) -> str:
    """SQL for whose counters a claim counts in: an object of strings, the last so called, which a key follows.

    With that key, for the number of a contract may itself end in a brace and a comma. Facts of the first format have
    none, and then it is empty.
    """
    own = f"""split_part('"holders":{{}},"order_no":' || {facts}, '"holders":{{', -1)"""
    for key in _AFTER_HOLDERS:
        own = f"""split_part({own}, '}},"{key}":', 1)"""
    return f"('{{' || {own} || '}}')"


_AFTER_HOLDERS = ("order_no", "position")
"""What follows in the facts of a redemption, and in those of a hold."""


def counts_of(facts: str) -> str:
    """SQL for what facts count: a list of flat objects without a bracket of their own."""
    return f"""('[{{' || split_part(split_part({facts}, '"counted":[{{', 2), ']', 1) || ']')"""


def counts(facts: str) -> str:
    """SQL for whether facts count anything."""
    return f"""strpos({facts}, '"counted":[{{') > 0"""


def cut_counts(facts: bytes) -> bytes | None:
    """What `counts_of` cuts out, None where facts count nothing."""
    start = facts.find(b'"counted":[{')
    return None if start < 0 else facts[start + 10 : facts.find(b"]", start) + 1]


def cut_holders(facts: bytes) -> bytes:
    """What `holders_of` cuts out."""
    start = facts.rfind(b'"holders":{')
    own = b"" if start < 0 else facts[start + 11 :]
    for key in _AFTER_HOLDERS:
        own = own.partition(b'},"%b":' % key.encode())[0]
    return b"{%b}" % own


BILLS = f"""
    SELECT r.region_code, r.programme_id, r.id AS claim_id, r.id AS subject, r.redeemed_at AS at, r.voucher_id,
        r.rule_version_id, r.subsidy_fen AS drawn_fen, r.facts,
        {holders_of("r.facts")} AS holders, {counts_of("r.facts")} AS counted
    FROM redemptions r WHERE r.hold_id IS NULL AND {counts("r.facts")}
"""
"""Redemptions in one step, and what they count."""

HOLDS = f"""
    SELECT h.region_code, h.programme_id, h.id, h.id, h.held_at, h.voucher_id, h.rule_version_id, h.amount_fen, h.facts,
        {holders_of("h.facts")}, {counts_of("h.facts")}
    FROM holds h WHERE {counts("h.facts")}
"""

PARTS = f"""
    SELECT r.region_code, r.programme_id, r.hold_id AS claim_id, r.id AS subject, r.redeemed_at AS at, r.voucher_id,
        r.rule_version_id, r.subsidy_fen AS drawn_fen, r.facts,
        {holders_of("r.facts")} AS holders, {counts_of("r.facts")} AS counted
    FROM redemptions r WHERE r.hold_id IS NOT NULL AND {counts("r.facts")}
"""
"""Redemptions from holds, and what they change of what their hold counts."""

_NOBODY = "NULL::text, NULL::text, 0::bigint, NULL::text"
_REFUNDED = "refunds f JOIN redemptions r ON r.region_code = f.region_code AND r.id = f.redemption_id"
_RECOVERED = "recoveries v JOIN redemptions r ON r.region_code = v.region_code AND r.id = v.redemption_id"

LATER = f"""
    SELECT h.region_code, h.programme_id, h.id, h.id, h.ended_at, {_NOBODY}, {holders_of("h.facts")}, h.end_counted
    FROM holds h WHERE h.end_counted IS NOT NULL
    UNION ALL
    SELECT r.region_code, r.programme_id, coalesce(r.hold_id, r.id), v.id, v.ended_at, {_NOBODY},
        {holders_of("r.facts")}, v.counted
    FROM {_RECOVERED} WHERE v.restored
    UNION ALL
    SELECT r.region_code, r.programme_id, coalesce(r.hold_id, r.id), f.id, f.refunded_at, {_NOBODY},
        {holders_of("r.facts")}, {counts_of("f.facts")}
    FROM {_REFUNDED} WHERE {counts("f.facts")}
"""
"""What ends of holds, money that came back and refunds change of it: they give back. Columns as those of `PARTS`."""

UNPOSTED = f"""
    SELECT r.region_code, r.programme_id, r.id, r.id, r.redeemed_at, {_NOBODY}, {holders_of("r.facts")},
        {counts_of("r.facts")}
    FROM redemptions r WHERE r.entry_id IS NULL AND {counts("r.facts")}
"""
"""Redemptions that drew nothing, and what they count. Columns as those of `PARTS`."""

BESIDE_ENTRIES = f"""
    SELECT region_code, programme_id, holders, counted FROM ({UNPOSTED} UNION ALL {HOLDS} UNION ALL {LATER}) AS claim(
        region_code, programme_id, id, subject, at, voucher_id, rule_version_id, drawn_fen, facts, holders, counted)
"""
"""All of `COUNTED` but redemptions with an entry."""

COUNTED = f"{BILLS} UNION ALL {HOLDS} UNION ALL {PARTS} UNION ALL {LATER}"
"""Everything that ever changed a counter."""
