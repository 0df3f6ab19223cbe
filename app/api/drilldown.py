"""The way from a figure of the budget down to its entries: the very query of `GET /v1/ledger/entries`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from app.kernel.clock import rfc3339
from app.services.budgets.execution import ACCOUNTS


def links_of(filters: Mapping[str, str], *, until: datetime) -> dict[str, str]:
    """A link for each amount, by its name: exactly the entries that moved it, at or before that instant.

    What their postings on the figure's pools bring to the account, less what they take, is the figure; of the
    appropriation, which is a source, it is the other way round.
    """
    shared = {**filters, "until": rfc3339(until)}
    return {
        name: f"/v1/ledger/entries?{urlencode(shared | {'account': account.value})}"
        for account, name in ACCOUNTS.items()
    }
