"""The client: one service, one principal, everything that the API has."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import Self

from app.client.jobs import Jobs
from app.client.problems import NotSignedIn
from app.client.resources.allocation import AllocationRounds, Waitlists
from app.client.resources.applications import Applications, Uploads
from app.client.resources.approvals import ApprovalBands, Approvals, Delegations
from app.client.resources.ledger import Ledger
from app.client.resources.money import PayeeAccounts, PaymentOrders, Recoveries, Reports, YearCloses
from app.client.resources.notices import PublicNotices, ShownNotices
from app.client.resources.programmes import Programmes
from app.client.resources.reconciliations import BankLists, Cases, Reconciliations, Statements
from app.client.resources.redemptions import Events, Holds, Redemptions
from app.client.resources.registry import Clients, Organisations, Users
from app.client.resources.standing import Calendars, Debarments, OrganisationLists, RelatedParties
from app.client.resources.vouchers import IssuanceBatches, Vouchers
from app.client.signing_in import ClientCredentials, Given, Prove, current_session
from app.client.wire import Patience, Wire


class VoucherClient:
    """A typed client of one service.

        with VoucherClient.signed_in() as client:
            for voucher in client.vouchers.list(programme_id="prg_…"):
                print(voucher.code, voucher.balance_fen)

    `prove` gets a new token where an act needs a fresh proof of its person; without, that is a problem like any other.
    `credentials` are a machine's; otherwise `token` is a person's, or something that is called for it. `language`
    (`zh-CN`, `en`) is that of the problems' sentences. What fails raises an exception of `app.client.problems`.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | Callable[[], str] | None = None,
        prove: Prove | None = None,
        credentials: ClientCredentials | None = None,
        language: str = "zh-CN",
        patience: Patience | None = None,
    ) -> None:
        signing = credentials or (Given(token, prove) if token is not None else None)
        self.wire = Wire(url.rstrip("/"), signing=signing, language=language, patience=patience or Patience())
        self.allocation_rounds = AllocationRounds(self.wire)
        self.applications = Applications(self.wire)
        self.approval_bands = ApprovalBands(self.wire)
        self.approvals = Approvals(self.wire)
        self.bank_lists = BankLists(self.wire)
        self.calendars = Calendars(self.wire)
        self.cases = Cases(self.wire)
        self.clients = Clients(self.wire)
        self.debarments = Debarments(self.wire)
        self.delegations = Delegations(self.wire)
        self.events = Events(self.wire)
        self.holds = Holds(self.wire)
        self.issuance_batches = IssuanceBatches(self.wire)
        self.jobs = Jobs(self.wire)
        self.ledger = Ledger(self.wire)
        self.organisation_lists = OrganisationLists(self.wire)
        self.organisations = Organisations(self.wire)
        self.payee_accounts = PayeeAccounts(self.wire)
        self.payment_orders = PaymentOrders(self.wire)
        self.programmes = Programmes(self.wire)
        self.public_notices = PublicNotices(self.wire)
        self.reconciliations = Reconciliations(self.wire)
        self.recoveries = Recoveries(self.wire)
        self.redemptions = Redemptions(self.wire)
        self.reports = Reports(self.wire)
        self.related_parties = RelatedParties(self.wire)
        self.shown_notices = ShownNotices(self.wire)
        self.statements = Statements(self.wire)
        self.uploads = Uploads(self.wire)
        self.users = Users(self.wire)
        self.vouchers = Vouchers(self.wire)
        self.waitlists = Waitlists(self.wire)
        self.year_closes = YearCloses(self.wire)

    @classmethod
    def signed_in(cls, *, language: str = "zh-CN", patience: Patience | None = None) -> Self:
        """As the person of VOUCHER_TOKEN at VOUCHER_URL, else of `voucher login`. Raises NotSignedIn."""
        token, url = os.environ.get("VOUCHER_TOKEN"), os.environ.get("VOUCHER_URL")
        if token and url:
            return cls(url, token=token, language=language, patience=patience)
        session = current_session()
        if session is None:
            raise NotSignedIn("nobody is signed in on this machine, or no longer: run voucher login")
        return cls(session.url, token=session.token, language=language, patience=patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self.wire.close()
