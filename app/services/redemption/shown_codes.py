"""A payment code that is only shown, for a check before work or a quote: judged as in a redemption, and left unused."""

from __future__ import annotations

from sqlalchemy import Connection

from app.database import Database
from app.kernel.codes import region_of_code
from app.kernel.vocabulary import Role
from app.reach import enter
from app.services.identity.principals import Caller
from app.services.redemption.decisions import Refused
from app.services.redemption.loading import find_vouchers, lock_vouchers
from app.services.redemption.payment_codes import PaymentCodeGiven, PaymentCodeState
from app.services.redemption.presented_codes import Presented, PresentedCodes
from app.sql import now

_USE = ""
"""Nothing comes of it, so it has no id."""


def consent_shown(
    database: Database, *, caller: Caller, voucher_code: str, given: PaymentCodeGiven
) -> PaymentCodeState | None:
    """The firm's open code that a provider shows with a voucher's code; None where there is no such voucher.

    Digits are judged under the voucher's lock, and a wrong number is counted, for good, before anybody is told: asking
    buys no more guesses than redeeming does, and all together buy as many as `payment_secrets` says.

    Raises `forbidden`, `payment_code_invalid`, `payment_code_expired`, `payment_code_used`, `busy`.
    """
    caller.require(Role.PROVIDER)
    judged = database.transact(
        lambda tx: _judge(tx, provider_id=caller.organisation_id, voucher_code=voucher_code, given=given)
    )
    if isinstance(judged, Refused):
        raise judged.problem()
    return judged


def _judge(
    tx: Connection, *, provider_id: str, voucher_code: str, given: PaymentCodeGiven
) -> PaymentCodeState | Refused | None:
    """The same as a value: a refusal that was raised would take the count back with it."""
    region_code = region_of_code(voucher_code)
    code = (region_code, voucher_code)
    enter(tx, [region_code])
    found = find_vouchers(tx, [code]).get(code)
    if found is None:
        return None
    if given.is_digits:
        lock_vouchers(tx, [(region_code, found.voucher_id)], wait=True)
    codes = PresentedCodes(tx)
    codes.look_up({_USE: Presented(region_code, provider_id, given)})
    codes.load()
    refused = codes.refuse(_USE, voucher_id=found.voucher_id, at=now(tx))
    codes.write(used=())
    return refused or codes.state_of(_USE)
