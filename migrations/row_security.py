"""Row-level security of a regional table: what migration 0034 does for those there were, a later one for its own.

A migration that makes a regional table, or takes another role in, calls `protect`; tests/schema/test_row_security.py
fails for a table that was forgotten.
"""

from __future__ import annotations

from alembic import op

APP, SEALER, AUDITOR = "voucher_app", "voucher_sealer", "voucher_auditor"

WITHIN_REACH = "NULLIF(region_code LIKE ANY ((SELECT reach())::text[]), false) IS NOT NULL"
"""Whether a row's region is one of those that the transaction reaches.

The settings are read once a statement (a sub-select that depends on nothing), compared row by row. It says "is not
null" and not "is true" for the planner, which takes a comparison with unknown patterns to let one row in two hundred
through, and a value to be there nearly always: which is right, as the queries ask for their region already.
"""

KNOWN = "(SELECT own_organisation()) IS NOT NULL"
"""Whether somebody, of whatever organisation, asks: what is published exists for him."""


def own(column: str) -> str:
    """Whether the row belongs to the organisation that asks, by a column with an organisation's id."""
    return f"{column} = (SELECT own_organisation())"


def seen(parent: str, column: str) -> str:
    """Whether the row of another table that this one hangs on exists for the organisation that asks.

    A call, not a sub-select: that would be planned with every statement, though nearly none comes to it.
    """
    return f"({KNOWN} AND sees_{parent}(region_code, {column}))"


def make_sees(parent: str, *, key: str = "id", called: str | None = None) -> None:
    """Make the function that `seen` calls: whether there is a row of the parent with this key, for whoever asks.

    It runs as he does, so the parent's own policy answers.
    """
    op.execute(
        f"""
        CREATE FUNCTION sees_{called or parent}(region text, wanted text) RETURNS boolean
        LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1 AS $$
        BEGIN
            RETURN EXISTS (SELECT FROM {parent} WHERE region_code = region AND {key} = wanted);
        END $$
        """
    )


def protect(table: str, *, also_seen: tuple[str, ...] = (), also_added: tuple[str, ...] = ()) -> None:
    """Let the service's role see and write a regional table within its reach only, the auditor's see all of it.

    `also_seen` and `also_added` are conditions under which a row exists, or may be added, besides. The owner's own
    policy lets migrations and restorations through: with FORCE he has no way past policies but this.
    """
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    sees = " OR ".join((WITHIN_REACH, *also_seen))
    adds = " OR ".join((WITHIN_REACH, *also_added))
    op.execute(f"CREATE POLICY app_sees ON {table} FOR SELECT TO {APP} USING ({sees})")
    op.execute(f"CREATE POLICY app_adds ON {table} FOR INSERT TO {APP} WITH CHECK ({adds})")
    op.execute(
        f"CREATE POLICY app_changes ON {table} FOR UPDATE TO {APP} USING ({WITHIN_REACH}) WITH CHECK ({WITHIN_REACH})"
    )
    op.execute(f"CREATE POLICY app_drops ON {table} FOR DELETE TO {APP} USING ({WITHIN_REACH})")
    op.execute(f"CREATE POLICY owner_maintains ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)")
    op.execute(f"CREATE POLICY auditor_sees ON {table} FOR SELECT TO {AUDITOR} USING (true)")
    op.execute(f"GRANT SELECT ON {table} TO {AUDITOR}")


def let_sealer(table: str) -> None:
    """Let the sealer's role, which works on the logs of all regions, use what it is granted of a table in all."""
    op.execute(f"CREATE POLICY sealer_works ON {table} TO {SEALER} USING (true) WITH CHECK (true)")
