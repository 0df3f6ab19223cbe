"""What the help of a group of commands looks like."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

WHOLE = 1_000


class Group(TyperGroup):
    """Lists its commands with the whole of their first sentence: cut short, the English half would be lost."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """One entry for each command that is not hidden, wrapped where it is long."""
        known = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, one.get_short_help_str(WHOLE)) for name, one in known if one is not None and not one.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
