"""What a city's people do about payments, over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx

from tests.world import Counter, ok

_numbers = count(1)


@dataclass(frozen=True)
class Paying:
    """A counter whose redemptions are paid."""

    desk: Counter

    def propose(self, *redemption_ids: str, key: str | None = None) -> httpx.Response:
        return self.desk.city.maker.post("/v1/payment-orders", {"redemption_ids": list(redemption_ids)}, key=key)

    def order(self, *redemption_ids: str) -> str:
        """An approved order; its id."""
        proposed = ok(self.propose(*redemption_ids))
        ok(self.approve(proposed))
        order_id: str = proposed["payment_order"]["id"]
        return order_id

    def approve(self, proposed: Any) -> httpx.Response:
        return self.desk.city.finance.post(f"/v1/approvals/{proposed['approval_id']}/approve")

    def confirm(self, order_id: str, *redemption_ids: str, reference: str | None = None) -> httpx.Response:
        return self._say("confirm", order_id, redemption_ids, reference, {})

    def bounce(self, order_id: str, *redemption_ids: str, reference: str | None = None) -> httpx.Response:
        return self._say("bounce", order_id, redemption_ids, reference, {"reason": "账号有误"})

    def _say(
        self, what: str, order_id: str, redemption_ids: tuple[str, ...], reference: str | None, more: dict[str, str]
    ) -> httpx.Response:
        body: dict[str, Any] = {"bank_reference": reference or f"B{next(_numbers)}", **more}
        if redemption_ids:
            body["redemption_ids"] = list(redemption_ids)
        return self.desk.city.finance.post(f"/v1/payment-orders/{order_id}/{what}", body)

    def refund(self, redemption_id: str, amount_fen: int) -> Any:
        body = {"reason": "客户退单", "amount_fen": amount_fen}
        return ok(self.desk.machine.post(f"/v1/redemptions/{redemption_id}/refunds", body))

    def receive(self, recovery_id: str, reference: str | None = None) -> httpx.Response:
        body = {"bank_reference": reference or f"B{next(_numbers)}"}
        return self.desk.city.finance.post(f"/v1/recoveries/{recovery_id}/receive", body)

    def redemption(self, redemption_id: str) -> Any:
        return ok(self.desk.machine.get(f"/v1/redemptions/{redemption_id}"))

    def pool(self) -> dict[str, int]:
        """The accounts of the programme's pools together, in fen, by account; those that are empty left out."""
        rows = ok(self.desk.city.finance.get("/v1/ledger/accounts", programme_id=self.desk.programme_id))
        accounts: dict[str, int] = {}
        for row in rows:
            accounts[row["account"]] = accounts.get(row["account"], 0) + row["balance_fen"]
        return {account: fen for account, fen in sorted(accounts.items()) if fen}
