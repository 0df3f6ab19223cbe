"""The demonstration's province as its files under examples/ describe it, read and typed. Nothing is done here."""

from __future__ import annotations

import csv
import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.cli.local import EXAMPLES
from app.cli.output import Failure
from app.kernel.clock import end_of_day, start_of_day
from app.kernel.money import parse_yuan
from app.kernel.vocabulary import IdentifierType, OrganisationKind, Role, VoucherKind
from app.services.rules.model import Rules

Yuan = Annotated[int, BeforeValidator(parse_yuan)]
"""Written in 元, kept in fen."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Identifier(_Part):
    """How an organisation is known."""

    type: IdentifierType
    value: str


class Organisation(_Part):
    """An organisation; the others name it by its key."""

    key: str
    kind: OrganisationKind
    name: str
    region_code: str
    identifier: Identifier
    profile: dict[str, Any] = {}


class Principal(_Part):
    """What people and machines have in common."""

    name: str
    organisation: str
    roles: tuple[Role, ...]
    regions: tuple[str, ...]


class Person(Principal):
    """Somebody who signs in."""

    login: str


class Price(_Part):
    """元 per unit, VAT included."""

    category: str
    unit: str
    unit_price: str
    gpu_model: str | None = None


class Admitted(_Part):
    """A provider of a programme."""

    organisation: str
    categories: tuple[str, ...]


class Appropriation(_Part):
    """Money from one source."""

    source: str
    amount: Yuan
    document_no: str


class Programme(_Part):
    """A programme with all that makes it work. `{year}` in document numbers stands for the fiscal year."""

    key: str
    region_code: str
    authority: str
    title: str
    voucher_kind: VoucherKind
    document_no: str
    fiscal_year: Literal["current"]
    opens_on: str
    closes_on: str
    issuance_file: str
    price_list: str
    providers: tuple[Admitted, ...]
    appropriations: tuple[Appropriation, ...]
    rules: Rules

    def opens_at(self, year: int) -> datetime:
        """The beginning of the first day."""
        return start_of_day(date.fromisoformat(f"{year}-{self.opens_on}"))

    def closes_at(self, year: int) -> datetime:
        """The end of the last day, exclusive."""
        return end_of_day(date.fromisoformat(f"{year}-{self.closes_on}"))


class Firm(_Part):
    """A row of firms.csv; `contact` signs in for it, with the code as login."""

    name: str
    uscc: str
    region_code: str
    size: str
    industry: str
    contact: str

    @property
    def login(self) -> str:
        """How the firm's manager signs in."""
        return self.uscc.lower()


class Province(_Part):
    """All of it."""

    v: Literal[1]
    region_code: str
    organisations: tuple[Organisation, ...]
    people: tuple[Person, ...]
    clients: tuple[Principal, ...]
    price_lists: dict[str, tuple[Price, ...]]
    programmes: tuple[Programme, ...]
    firms: Annotated[tuple[Firm, ...], Field(min_length=1)]

    def organisation(self, key: str) -> Organisation:
        """The organisation with this key."""
        return next(organisation for organisation in self.organisations if organisation.key == key)

    def person_with(self, role: Role, region_code: str | None = None) -> Person:
        """The first person who holds the role, in that region where one is named."""
        return self.people_with(role, region_code)[0]

    def people_with(self, role: Role, region_code: str | None = None) -> list[Person]:
        """All who hold the role, in that region where one is named."""
        return [
            person
            for person in self.people
            if role in person.roles and (region_code is None or region_code in person.regions)
        ]

    def firms_of(self, region_code: str) -> list[Firm]:
        """The firms that look to this region for vouchers: their county where that issues some, else their city."""
        issuers = {programme.region_code for programme in self.programmes}
        return [
            firm
            for firm in self.firms
            if (firm.region_code if firm.region_code in issuers else f"{firm.region_code[:4]}00") == region_code
        ]

    def programmes_of(self, kind: VoucherKind) -> list[Programme]:
        """The programmes that issue vouchers of this kind."""
        return [programme for programme in self.programmes if programme.voucher_kind is kind]


def read_province(folder: Path = EXAMPLES) -> Province:
    """The province of examples/. Raises Failure where the files are not there."""
    try:
        described = tomllib.loads((folder / "province.toml").read_text(encoding="utf-8"))
        with (folder / "firms.csv").open(encoding="utf-8", newline="") as file:
            firms = tuple(csv.DictReader(file))
    except OSError as error:
        raise Failure(f"缺少演示数据：{error.filename}", f"the examples are not there: {error}") from error
    return Province.model_validate(described | {"firms": firms})
