"""Vouchers: the face value is where its parts are, and no part was ever below zero."""

from __future__ import annotations

from app.kernel.vocabulary import Account
from app.services.reconciliation.invariants.invariant import Invariant, listed

STAGE_PARTS = {
    Account.COMMITTED: "balance_fen",
    Account.HELD: "held_fen",
    Account.OBLIGATED: "redeemed_fen",
    Account.IN_PAYMENT: "redeemed_fen",
    Account.DISBURSED: "redeemed_fen",
}
"""The part of a voucher that each stage of its money is; money from elsewhere is face value, money gone is an end."""
_STAGES = listed(STAGE_PARTS)

MOVED = """
    SELECT region_code, voucher_id, pool_id, payee_id, source, destination, sum(amount_fen) AS fen,
        count(*) AS postings, min(voucher_seq) AS first_seq, max(voucher_seq) AS last_seq
    FROM postings {condition} GROUP BY region_code, voucher_id, pool_id, payee_id, source, destination
"""
"""What moved between two accounts, of each pool, voucher and payee: one pass over the postings."""
ALL_MOVED = f"({MOVED.format(condition='')})"


def voucher_moved(moved: str) -> str:
    """SQL for what moved between two accounts of a voucher. Only what left it asks its entry how."""
    return f"""
    SELECT region_code, voucher_id, pool_id, source, destination, NULL AS ended, fen, postings, first_seq, last_seq
    FROM {moved} AS moved WHERE voucher_id IS NOT NULL AND destination IN ({_STAGES})
    UNION ALL
    SELECT p.region_code, p.voucher_id, p.pool_id, p.source, p.destination,
        CASE e.kind WHEN 'recover' THEN 'recovered' WHEN 'move' THEN 'moved' ELSE coalesce(e.voucher_end, '?') END
            AS ended,
        sum(p.amount_fen), count(*), min(p.voucher_seq), max(p.voucher_seq)
    FROM postings p LEFT JOIN entries e ON e.region_code = p.region_code AND e.id = p.entry_id
    WHERE p.voucher_id IS NOT NULL AND p.destination NOT IN ({_STAGES})
    GROUP BY 1, 2, 3, 4, 5, 6
    """


def _part_of(account: str) -> str:
    """SQL for the part of a voucher that an account is, NULL where it is none."""
    cases = " ".join(f"WHEN '{stage}' THEN '{part}'" for stage, part in STAGE_PARTS.items())
    return f"CASE {account} {cases} END"


def part_negative(moved: str) -> str:
    """SQL for the parts of vouchers that were below zero.

    A part that had all that ever left it before the first of it left was never below zero; only the others are walked
    through, posting by posting.
    """
    return f"""
    WITH steps AS MATERIALIZED (
        SELECT region_code, voucher_id, pool_id, fen, first_seq, last_seq,
            {_part_of("source")} AS from_part, {_part_of("destination")} AS to_part
        FROM ({voucher_moved(moved)}) AS of_voucher
    ), gone AS (
        SELECT region_code, voucher_id, pool_id, from_part AS part, sum(fen) AS fen, min(first_seq) AS first_seq
        FROM steps WHERE from_part IS DISTINCT FROM to_part AND from_part IS NOT NULL GROUP BY 1, 2, 3, 4
    ), suspects AS MATERIALIZED (
        SELECT g.region_code, g.voucher_id, g.pool_id, g.part
        FROM gone g LEFT JOIN steps m ON m.region_code = g.region_code AND m.voucher_id = g.voucher_id
            AND m.pool_id = g.pool_id AND m.to_part = g.part AND m.from_part IS DISTINCT FROM m.to_part
            AND m.last_seq < g.first_seq
        GROUP BY g.region_code, g.voucher_id, g.pool_id, g.part, g.fen HAVING coalesce(sum(m.fen), 0) < g.fen
    )
    SELECT region_code, voucher_id || ' ' || pool_id || ' ' || part AS subject,
        '>= 0' AS expected, min(running)::text AS actual
    FROM (
        SELECT s.region_code, s.voucher_id, s.pool_id, s.part,
            sum(CASE WHEN {_part_of("p.destination")} = s.part THEN p.amount_fen ELSE 0 END
                - CASE WHEN {_part_of("p.source")} = s.part THEN p.amount_fen ELSE 0 END)
                OVER (PARTITION BY s.region_code, s.voucher_id, s.pool_id, s.part ORDER BY p.voucher_seq) AS running
        FROM suspects s JOIN postings p ON p.region_code = s.region_code AND p.voucher_id = s.voucher_id
            AND p.pool_id = s.pool_id
    ) AS moved
    WHERE running < 0
    GROUP BY region_code, voucher_id, pool_id, part
    """


_VOUCHER_IDENTITY = """
    SELECT region_code, id AS subject, face_fen::text AS expected,
        (balance_fen + held_fen + redeemed_fen + recovered_fen + expired_fen + voided_fen + surrendered_fen)::text
            AS actual
    FROM vouchers
    WHERE balance_fen + held_fen + redeemed_fen + recovered_fen + expired_fen + voided_fen + surrendered_fen <> face_fen
    UNION ALL
    SELECT v.region_code, v.id || ' allotments', v.face_fen::text, coalesce(sum(a.face_fen), 0)::text
    FROM vouchers v LEFT JOIN allotments a ON a.region_code = v.region_code AND a.voucher_id = v.id
    GROUP BY v.region_code, v.id, v.face_fen HAVING coalesce(sum(a.face_fen), 0) <> v.face_fen
"""

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        2,
        "no_negative_voucher",
        "No part of a voucher was ever below zero",
        "券的各部分从未为负",
        part_negative(ALL_MOVED),
        rest="",
    ),
    Invariant(3, "voucher_identity", "Face value equals the sum of its parts", "券面值＝各部分之和", _VOUCHER_IDENTITY),
)
