"""The payment codes of one batch of holds or redemptions, from what was sent to what is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from app.models.payment_codes import WRONG_DIGITS_LIMIT
from app.services.redemption.decisions import Refused
from app.services.redemption.payment_codes import (
    CodeKey,
    Holder,
    PaymentCodeGiven,
    PaymentCodeState,
    claim_payment_codes,
    count_wrong_digits,
    find_payment_codes,
    give_back_payment_codes,
    load_payment_codes,
    refuse_over_limit,
    refuse_payment_code,
    uses_of,
)


@dataclass(frozen=True, slots=True)
class Presented:
    """A payment code that came with a command: by whom, in which region, and what was sent."""

    region_code: str
    provider_id: str
    given: PaymentCodeGiven


class PresentedCodes:
    """Claims codes before the vouchers are locked, judges them one after the other, gives back what was in vain.

    Everything goes by the *use*: the id of the hold or redemption to be. Its steps in the order of a batch:
    `claim` (after the order numbers), `load` (under the vouchers' locks), `refuse` and `refuse_amount` for
    each command in turn, `write`. Where a code is only shown, `look_up` stands for `claim`.
    """

    def __init__(self, tx: Connection) -> None:
        self._tx = tx
        self._presented: dict[str, Presented] = {}
        self._found: dict[str, CodeKey] = {}
        self._claimed: set[str] = set()
        self._used_by: dict[CodeKey, str | None] = {}
        self._states: dict[CodeKey, PaymentCodeState] = {}
        self._misses: Counter[Holder] = Counter()
        self._at: datetime | None = None

    def claim(self, presented: Mapping[str, Presented]) -> set[str]:
        """Claim the codes of these uses; return the uses that wait for a rival of the same batch: put them off."""
        self._presented = dict(presented)
        if not presented:
            return set()
        given = {use: (one.region_code, one.provider_id, one.given) for use, one in presented.items()}
        self._found = find_payment_codes(self._tx, given)
        self._claimed = claim_payment_codes(self._tx, self._found) if self._found else set()
        taken = {use: key for use, key in self._found.items() if use not in self._claimed}
        self._used_by = {**uses_of(self._tx, set(taken.values()))} if taken else {}
        return {use for use, key in taken.items() if self._used_by.get(key, use) in {*self._claimed, use}}

    def look_up(self, presented: Mapping[str, Presented]) -> None:
        """Find the codes and who has used them, and claim nothing."""
        self._presented = dict(presented)
        given = {use: (one.region_code, one.provider_id, one.given) for use, one in presented.items()}
        self._found = find_payment_codes(self._tx, given)
        keys = set(self._found.values())
        self._used_by = {**dict.fromkeys(keys), **uses_of(self._tx, keys)}

    def load(self) -> None:
        """Read the codes as they stand under their vouchers' locks."""
        if self._found:
            self._states = load_payment_codes(self._tx, set(self._found.values()))

    def has(self, use: str) -> bool:
        """Whether a payment code came with this command."""
        return use in self._presented

    def id_of(self, use: str) -> str | None:
        """The id of the code by which this use draws, or None where it has none."""
        key = self._found.get(use)
        return None if key is None else key[1]

    def state_of(self, use: str) -> PaymentCodeState | None:
        """The code that came with this command as it stands, or None where the provider has no such code."""
        key = self._found.get(use)
        return None if key is None else self._states[key]

    def refuse(self, use: str, *, voucher_id: str, at: datetime) -> Refused | None:
        """Why the code that came with this command is no consent, or None. A wrong number counts from here on."""
        presented = self._presented[use]
        state = self.state_of(use)
        if state is not None and use not in self._claimed:
            state.used_by = self._used_by[self._found[use]]
        is_digits = presented.given.is_digits
        refused = refuse_payment_code(
            state, provider_id=presented.provider_id, voucher_id=voucher_id, is_digits=is_digits, at=at
        )
        if state is None and is_digits:
            self._miss((presented.region_code, voucher_id, presented.provider_id))
            self._at = at
        return refused

    def refuse_amount(self, use: str, *, amount_fen: int) -> Refused | None:
        """Why this command may not draw or hold this much by its code, or None."""
        state = self.state_of(use)
        assert state is not None, "what has not been refused has a code"
        return refuse_over_limit(state, amount_fen=amount_fen)

    def write(self, used: Collection[str]) -> None:
        """Give back the codes of all uses but those that came to be, and count the wrong numbers."""
        in_vain = {self._found[use] for use in self._claimed if use not in used}
        if in_vain:
            give_back_payment_codes(self._tx, in_vain)
        if self._at is not None:
            count_wrong_digits(self._tx, self._misses, at=self._at)

    def _miss(self, holder: Holder) -> None:
        self._misses[holder] += 1
        for state in self._states.values():
            if state.holder == holder:
                state.wrong_digits = min(state.wrong_digits + 1, WRONG_DIGITS_LIMIT)
