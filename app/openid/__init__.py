"""Signing in at outside OpenID Connect providers, such as a city's unified identity platform.

The protocol is Authlib's and PyJWT's; here stand what they leave to the caller: which providers there are
(`configuration.py`), calls that go to its hosts alone, by `app/outbound.py` (`calls.py`), what an ID token must say
(`id_tokens.py`), and one provider with its metadata and keys, remembered and renewed (`provider.py`).

It knows nothing of the service: who a subject is here, is the service's to say (`app/services/identity/outside.py`).

    RefusedByProvider     the person declined, or the provider did not let him in
    NotProven             an answer that proves nothing: forged, replayed, meant for somebody else
    ProviderAway          no answer in time, or none that can be read
"""

from __future__ import annotations

from app.openid.configuration import NotConfigured, ProviderSettings, load_providers
from app.openid.faults import NotProven, ProviderAway, RefusedByProvider
from app.openid.id_tokens import Subject
from app.openid.provider import Attempt, Provider

__all__ = [
    "Attempt",
    "NotConfigured",
    "NotProven",
    "Provider",
    "ProviderAway",
    "ProviderSettings",
    "RefusedByProvider",
    "Subject",
    "load_providers",
]
