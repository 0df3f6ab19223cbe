"""One transaction for many commands: claim, lock, decide, post, answer. The commands' order of arrival is kept.

The lock order is the same for everybody: region fence → keys → providers' numbers → payment codes → vouchers (their
holds and mandates lie under the same lock) → the holders' positions, where the programme's rules are cumulative → the
provider's days, where they hold bills against its capacity → usage references → invoice lines. A command whose voucher,
holder, day or invoice line is busy is put off and gives back all its claims; a refused one gives back all but its key.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from app.kernel.ids import new_id
from app.reach import enter
from app.services.ledger.fences import ask_fences
from app.services.redemption.claiming import Claiming
from app.services.redemption.commands import Command
from app.services.redemption.deciding import Deciding
from app.services.redemption.finding import ask_found
from app.services.redemption.locking import Locked
from app.services.redemption.outcomes import Outcome, Outcomes
from app.sql import pipelined, together


def decide_batch(tx: Connection, commands: Sequence[Command], *, wait: bool) -> list[Outcome]:
    """Decide all commands in one transaction; the outcome of each stands at its place.

    With `wait` false a busy voucher or a closing region puts its commands off. Nothing a refused command had
    claimed stays, except the key with the stored answer. The caller commits.
    """
    outcomes = Outcomes(commands)
    ids = [new_id(command.PREFIX, command.region_code) for command in commands]
    claiming = Claiming(tx, outcomes, ids)
    regions = {command.region_code for command in commands}
    with pipelined(tx):
        enter(tx, regions)
        fences = ask_fences(tx, regions, wait=wait)
        found = ask_found(tx, commands)
    free, at = fences()
    claiming.fence(free, at=at)
    claiming.claim(wait=wait)
    locked = Locked(tx, outcomes, ids, found())
    locked.claim_codes()
    locked.lock_and_load(wait=wait)
    locked.lock_positions(wait=wait)
    locked.lock_days(wait=wait)
    locked.claim_references()
    locked.lock_invoices(wait=wait)
    deciding = Deciding(tx, outcomes, ids, locked)
    deciding.decide()
    with together(tx):
        claiming.give_back(deciding.made)
        deciding.write()
    deciding.end_holds()
    claiming.answer_twins()
    return outcomes.all()
