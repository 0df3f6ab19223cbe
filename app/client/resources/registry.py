"""Organisations, people and machines."""

from __future__ import annotations

from collections.abc import Iterator

from app.client.models import (
    ClientCreate,
    ClientCreated,
    ClientKeyCreate,
    ClientKeyRead,
    ClientKeys,
    ClientRead,
    Credentials,
    DpopBody,
    FactorConfirm,
    InvitationRead,
    LeavingBody,
    OrganisationChange,
    OrganisationCreate,
    OrganisationKind,
    OrganisationRead,
    OutsideIdentities,
    OutsideIdentityRead,
    PersonalToken,
    PersonalTokenByCode,
    PersonalTokenCreate,
    PersonalTokens,
    ResetAsked,
    ResetBody,
    RolesAsked,
    RolesBody,
    RolesTaken,
    SamePersonBody,
    SecondFactorBegun,
    SecondFactorConfirmed,
    SecondFactorReset,
    SecretRenewal,
    SecretRenewed,
    StepUp,
    UnlinkBody,
    UserCreate,
    UserCreated,
    UserRead,
)
from app.client.wire import Again, Wire


class Organisations:
    """`/v1/organisations`: authorities, finance bureaus, firms, providers."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(
        self,
        *,
        kind: OrganisationKind | None = None,
        region_code: str | None = None,
        identifier: str | None = None,
        name: str | None = None,
    ) -> Iterator[OrganisationRead]:
        """Organisations within reach, newest first."""
        query = {"kind": kind, "region_code": region_code, "identifier": identifier, "name": name}
        return self._wire.each("/v1/organisations", OrganisationRead, **query)

    def get(self, organisation_id: str) -> OrganisationRead:
        """One."""
        return self._wire.fetch(f"/v1/organisations/{organisation_id}", OrganisationRead)

    def create(self, body: OrganisationCreate) -> OrganisationRead:
        """Write one down. Raises Conflict where its identifier is known."""
        return self._wire.change("POST", "/v1/organisations", OrganisationRead, body)

    def change(self, organisation_id: str, body: OrganisationChange, *, version: int) -> OrganisationRead:
        """Change one that was read as this version. Raises Stale where somebody else was faster."""
        headers = {"If-Match": f'"{version}"'}
        path = f"/v1/organisations/{organisation_id}"
        return self._wire.change("PATCH", path, OrganisationRead, body, headers=headers)


class Users:
    """`/v1/users`: people."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, *, organisation_id: str | None = None) -> Iterator[UserRead]:
        """People within reach, newest first."""
        return self._wire.each("/v1/users", UserRead, organisation_id=organisation_id)

    def get(self, user_id: str) -> UserRead:
        """One, with the roles."""
        return self._wire.fetch(f"/v1/users/{user_id}", UserRead)

    def create(self, body: UserCreate) -> UserCreated:
        """Write a person down; a security administrator approves the roles."""
        return self._wire.change("POST", "/v1/users", UserCreated, body)

    def ask_roles(self, user_id: str, body: RolesBody) -> RolesAsked:
        """Ask for other roles."""
        return self._wire.change("POST", f"/v1/users/{user_id}/roles", RolesAsked, body)

    def revoke_roles(self, user_id: str, body: RolesTaken) -> UserRead:
        """Take roles away, within a minute and without a second person."""
        return self._wire.change("POST", f"/v1/users/{user_id}/roles/revoke", UserRead, body)

    def disable(self, user_id: str, body: LeavingBody) -> UserRead:
        """Let somebody sign in no more, for good."""
        return self._wire.change("POST", f"/v1/users/{user_id}/disable", UserRead, body)

    def ask_password_reset(self, user_id: str, body: ResetBody) -> ResetAsked:
        """Ask that a password may be set anew."""
        return self._wire.change("POST", f"/v1/users/{user_id}/password-resets", ResetAsked, body)

    def invite(self, user_id: str) -> InvitationRead:
        """A link to set the password, shown this once."""
        return self._wire.change("POST", f"/v1/users/{user_id}/invitations", InvitationRead)

    def join_accounts(self, user_id: str, body: SamePersonBody) -> UserRead:
        """Say that two accounts are one person's."""
        return self._wire.change("POST", f"/v1/users/{user_id}/same-person", UserRead, body)

    def personal_token(self, body: PersonalTokenCreate) -> PersonalToken:
        """Sign in as a person: a token for some hours."""
        return self._wire.change("POST", "/v1/personal-tokens", PersonalToken, body)

    def personal_token_by_code(self, body: PersonalTokenByCode) -> PersonalToken:
        """Sign in with the code that the portal showed after signing in at an outside provider."""
        return self._wire.change("POST", "/v1/personal-tokens/by-code", PersonalToken, body)

    def personal_tokens(self) -> PersonalTokens:
        """My own tokens, with what they are for, without themselves."""
        return self._wire.fetch("/v1/personal-tokens", PersonalTokens)

    def end_personal_token(self, token_id: str) -> None:
        """Let one of my tokens be good no more, within a minute."""
        self._wire.send("DELETE", f"/v1/personal-tokens/{token_id}", again=Again.NEVER)

    def outside_identities(self, user_id: str) -> OutsideIdentities:
        """At which outside providers somebody may sign in."""
        return self._wire.fetch(f"/v1/users/{user_id}/outside-identities", OutsideIdentities)

    def unlink_outside_identity(self, user_id: str, identity_id: str, body: UnlinkBody) -> OutsideIdentityRead:
        """Let somebody sign in there no more; sessions and tokens end."""
        path = f"/v1/users/{user_id}/outside-identities/{identity_id}/unlink"
        return self._wire.change("POST", path, OutsideIdentityRead, body)

    def step_up(self, body: StepUp) -> PersonalToken:
        """Prove again who I am: a new token, with which acts of weight are open for some minutes."""
        return self._wire.change("POST", "/v1/personal-tokens/step-up", PersonalToken, body)

    def sign_out_everywhere(self) -> None:
        """End all my sessions, and let no token of mine be good any more."""
        self._wire.send("DELETE", "/v1/personal-tokens/all", again=Again.NEVER)

    def begin_second_factor(self, body: Credentials) -> SecondFactorBegun:
        """A secret for an authenticator, shown this once; it counts once it is confirmed."""
        return self._wire.change("POST", "/v1/second-factors", SecondFactorBegun, body)

    def confirm_second_factor(self, body: FactorConfirm) -> SecondFactorConfirmed:
        """Let it count, by its first code: recovery codes, and a token."""
        return self._wire.change("POST", "/v1/second-factors/confirm", SecondFactorConfirmed, body)

    def reset_second_factor(self, user_id: str, body: ResetBody) -> SecondFactorReset:
        """Take away the second factor of somebody who has lost it; an official's once it is approved."""
        return self._wire.change("POST", f"/v1/users/{user_id}/second-factor-resets", SecondFactorReset, body)

    def revoke_personal_token(self) -> None:
        """Sign out: the token that signs this request is good for nothing more."""
        self._wire.send("DELETE", "/v1/personal-tokens/current", again=Again.NEVER)


class Clients:
    """`/v1/clients`: machines."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def require_dpop(self, client_id: str, body: DpopBody) -> ClientRead:
        """Let a machine fetch tokens with a proof of its key alone, or again without."""
        return self._wire.change("POST", f"/v1/clients/{client_id}/dpop", ClientRead, body)

    def list(self, *, organisation_id: str | None = None) -> Iterator[ClientRead]:
        """Machines within reach, newest first."""
        return self._wire.each("/v1/clients", ClientRead, organisation_id=organisation_id)

    def get(self, client_id: str) -> ClientRead:
        """One, with its roles."""
        return self._wire.fetch(f"/v1/clients/{client_id}", ClientRead)

    def create(self, body: ClientCreate) -> ClientCreated:
        """Write a machine down; its secret is shown this once, a security administrator approves the roles."""
        return self._wire.change("POST", "/v1/clients", ClientCreated, body)

    def ask_roles(self, client_id: str, body: RolesBody) -> RolesAsked:
        """Ask for other roles."""
        return self._wire.change("POST", f"/v1/clients/{client_id}/roles", RolesAsked, body)

    def revoke_roles(self, client_id: str, body: RolesTaken) -> ClientRead:
        """Take roles away, within a minute and without a second person."""
        return self._wire.change("POST", f"/v1/clients/{client_id}/roles/revoke", ClientRead, body)

    def disable(self, client_id: str, body: LeavingBody) -> ClientRead:
        """Let a machine sign in no more, for good."""
        return self._wire.change("POST", f"/v1/clients/{client_id}/disable", ClientRead, body)

    def keys(self, client_id: str) -> ClientKeys:
        """The public keys with which it may sign in."""
        return self._wire.fetch(f"/v1/clients/{client_id}/keys", ClientKeys)

    def add_key(self, client_id: str, body: ClientKeyCreate) -> ClientKeyRead:
        """Let it sign in with a key of its own; the private half stays there."""
        return self._wire.change("POST", f"/v1/clients/{client_id}/keys", ClientKeyRead, body)

    def retire_key(self, client_id: str, kid: str) -> ClientKeyRead:
        """Let a key be good for nothing more."""
        return self._wire.change("POST", f"/v1/clients/{client_id}/keys/{kid}/retire", ClientKeyRead)

    def renew_secret(self, client_id: str, body: SecretRenewal) -> SecretRenewed:
        """A new secret, shown this once."""
        return self._wire.change("POST", f"/v1/clients/{client_id}/secret", SecretRenewed, body)

    def withdraw_secret(self, client_id: str) -> None:
        """Let it sign in with its keys only."""
        self._wire.send("DELETE", f"/v1/clients/{client_id}/secret", again=Again.NEVER)
