"""A firm's manager before the portal: with a browser, or with bare HTTP where a browser would hide the point."""

from __future__ import annotations

import re
from dataclasses import dataclass

import httpx
from playwright.sync_api import Page
from sqlalchemy import select

from app.kernel.vocabulary import OrganisationKind
from app.models import User
from app.services.identity.invitations import invite, redeem_invitation
from app.services.identity.loading import password_at
from app.services.identity.passwords import Passwords
from app.services.identity.principals import Caller, Principal
from tests.world import HANGZHOU, Actor, Counter, World

PASSWORD = "seven quiet herons"
TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')


@dataclass(frozen=True)
class Manager:
    """The firm's side of a counter: a person who can sign in, the voucher, and the provider that draws on it."""

    world: World
    counter: Counter
    actor: Actor
    login: str

    @property
    def voucher_path(self) -> str:
        return f"/portal/vouchers/{self.counter.voucher['id']}"

    @property
    def mandate_path(self) -> str:
        return f"{self.voucher_path}/mandates/{self.counter.mandate['id']}"

    def second_provider(self, name: str) -> str:
        """A further provider that the programme admits, without a mandate yet."""
        city = self.counter.city
        provider_id = self.world.organisation(OrganisationKind.PROVIDER, city.region_code, name=name)
        city.admit(self.counter.programme_id, provider_id)
        return provider_id

    def sign_in(self, page: Page) -> None:
        """Through the form, as everybody does."""
        page.goto("/portal/sign-in")
        page.get_by_label("登录名").fill(self.login)
        page.get_by_label("密码").fill(PASSWORD)
        page.get_by_role("button", name="登录", exact=True).click()
        page.wait_for_url("**/portal/vouchers")

    def http(self) -> httpx.Client:
        """A signed-in client without a browser."""
        client = self.world.anonymous()
        token = form_token(client.get("/portal/sign-in").text)
        form = {"login": self.login, "password": PASSWORD, "form_token": token}
        answer = client.post("/portal/sign-in", data=form, headers={"Origin": self.world.base_url})
        assert answer.status_code == 303, answer.text
        return client


def manager_of(counter: Counter) -> Manager:
    """The counter's manager, with a password."""
    world, actor = counter.city.world, counter.manager
    secret = invitation(world, actor)
    login = redeem_invitation(
        world.database, Passwords(), secret=secret, password=PASSWORD, request_id="test", source="test"
    )
    set_at = world.database.transact(lambda tx: password_at(tx, actor.id))
    token = world.tokens.issue(actor.id, actor.organisation_id, ttl_s=3600, password_at=set_at).token
    actor.http.headers["Authorization"] = f"Bearer {token}"  # the one from before the password is void
    return Manager(world, counter, actor, login)


def invitation(world: World, actor: Actor) -> str:
    """The secret of a fresh invitation."""
    caller = Caller(Principal("test", actor.organisation_id, HANGZHOU, ()), "test", "test")
    return world.database.transact(
        lambda tx: invite(tx, caller=caller, user_id=actor.id, region_code=HANGZHOU, ttl_s=3600)
    ).secret


def login_of(world: World, actor: Actor) -> str:
    return world.database.transact(lambda tx: tx.execute(select(User.login).where(User.id == actor.id)).scalar_one())


def form_token(page: str) -> str:
    """The token of the page's first form."""
    found = TOKEN.search(page)
    assert found is not None, page
    return found[1]
