"""A service at which people sign in with a real provider, for a module; and a browser that is a bare HTTP client."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from app.database import Database
from app.embedded import databases
from app.embedded.server import Server
from app.kernel.vocabulary import Role
from app.reach import EVERYWHERE
from app.services.identity.tokens import Tokens
from app.settings import Settings
from tests.conftest import serving, settings_of
from tests.openid.between import PATIENCE_S, Between, free_port, running_provider
from tests.portal.manager import form_token, invitation
from tests.world import Actor, World

CLIENT_ID, SECRET = "compute-vouchers", "a secret: with %marks"
FILE = """
[[provider]]
id = "zwfw"
name_zh = "政务服务平台"
name_en = "Government services"
issuer = "{issuer}"
client_id = "compute-vouchers"
client_secret_file = "zwfw.secret"
second_factor_acr = ["urn:example:two"]
second_factor_amr = ["otp"]

[[provider]]
id = "other"
name_zh = "园区平台"
name_en = "Park"
issuer = "{other}"
client_id = "compute-vouchers"
client_secret_file = "zwfw.secret"
"""


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    with running_provider() as address:
        yield address


@dataclass
class Desk:
    """The service, the provider as the service sees it, and a second one."""

    world: World
    between: Between
    other: Between
    settings: Settings

    def browser(self, *, language: str = "en") -> Browser:
        http = self.world.anonymous()
        http.headers["Accept-Language"] = language
        return Browser(self, http)

    def manager(self) -> Actor:
        """A firm's person."""
        return self.world.person(Role.FIRM, self.world.firm())

    def linked(self, subject: str, actor: Actor | None = None) -> Actor:
        """A person whom a subject of the provider is linked to."""
        actor = actor or self.manager()
        answer = self.browser().link(invitation(self.world, actor), subject)
        assert (answer.status_code, answer.headers["location"]) == (303, "/portal/sign-in"), answer.text
        return actor

    def claims(self, subject: str, **claims: object) -> None:
        """Let the provider say more of a subject."""
        address = f"{self.between.provider}/users/{subject}"
        answer = httpx.put(address, json=claims, trust_env=False, timeout=PATIENCE_S)
        assert answer.status_code == 204


@dataclass
class Browser:
    """Cookies and nothing else."""

    desk: Desk
    http: httpx.Client

    def sent_off(self, path: str = "/portal/openid/zwfw") -> str:
        """Where the service sends the browser."""
        answer = self.http.get(path)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def signed_in_there(self, address: str, subject: str, *, action: str = "accept") -> str:
        """What the provider answers: the way back, as path and query."""
        answer = httpx.post(address, data={"sub": subject, "action": action}, trust_env=False, timeout=PATIENCE_S)
        assert answer.status_code == 302, answer.text
        back = urlsplit(answer.headers["location"])
        assert f"{back.scheme}://{back.netloc}" == self.desk.world.base_url
        return f"{back.path}?{back.query}"

    def sign_in(self, subject: str, path: str = "/portal/openid/zwfw") -> httpx.Response:
        return self.http.get(self.signed_in_there(self.sent_off(path), subject))

    def link(self, secret: str, subject: str, provider: str = "zwfw") -> httpx.Response:
        """Through the invitation's page, as people do."""
        page = self.http.get(f"/portal/invitations/{secret}")
        answer = self.http.post(
            f"/portal/openid/{provider}/invitations/{secret}",
            data={"form_token": form_token(page.text)},
            headers={"Origin": self.desk.world.base_url},
        )
        assert answer.status_code == 200, answer.text
        address = answer.text.partition('href="http://127')[2].partition('"')[0].replace("&amp;", "&")
        return self.http.get(self.signed_in_there(f"http://127{address}", subject))

    @property
    def has_session(self) -> bool:
        return "voucher_session" in self.http.cookies


def changed(path: str, **fields: str | None) -> str:
    """The same way back with other fields; None leaves one out."""
    parts = urlsplit(path)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | fields
    return f"{parts.path}?{urlencode({name: value for name, value in query.items() if value is not None})}"


@pytest.fixture(scope="module")
def running(server: Server, template: str, provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("openid")
    urls = databases.clone(server, template=template, database=folder.name)
    with Between(provider) as between, Between(provider) as other:
        (folder / "zwfw.secret").write_text(SECRET + "\n")
        file = folder / "providers.toml"
        file.write_text(FILE.format(issuer=between.issuer, other=other.issuer))
        port = free_port()
        settings = settings_of(urls, folder).model_copy(
            update={
                "openid_file": file,
                "public_url": f"http://127.0.0.1:{port}",
                "staff_second_factor": True,
            }
        )
        database = Database(urls.app_url, pool_size=20, reach=EVERYWHERE)
        with serving(settings, port=port) as base_url:
            world = World(base_url, database, Tokens.from_settings(settings))
            yield Desk(world, between, other, settings)
            world.close()
        database.dispose()
    databases.drop(server, database=folder.name)


@pytest.fixture
def desk(running: Desk) -> Desk:
    running.between.reset()
    running.other.reset()
    return running
