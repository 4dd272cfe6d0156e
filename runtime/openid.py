"""The OpenID provider of the settings, if there is one."""

from __future__ import annotations

import ssl

from cryptography import x509

from care_desk.account.by_provider import BACK
from certs.contexts import fetch_context
from foundation.clock import Clock
from mssante.ciba import Backchannel
from mssante.openid import Rules
from mssante.openid_code import CodeFlow
from mssante.openid_provider import Asking, OpenIdProvider
from runtime.openid_settings import OpenId


def provider_of(openid: OpenId, clock: Clock) -> OpenIdProvider | None:
    """None: no token opens anything. Raises OSError or ValueError for files that cannot be read."""
    if not openid.issuer:
        return None
    rules = Rules(
        openid.issuer, openid.audience, openid.subject_claim, frozenset(openid.clients), frozenset(openid.acr)
    )
    asking = None
    if openid.client_secret is not None:
        asking = Asking(openid.client_id, openid.client_secret.read_text(encoding="utf-8").strip())
    return OpenIdProvider(rules, clock, _believed(openid), asking)


def backchannel_of(openid: OpenId, provider: OpenIdProvider | None, clock: Clock) -> Backchannel | None:
    """None: nobody is asked on a telephone. Raises OSError for a file that cannot be read."""
    if provider is None or openid.ciba_client_secret is None:
        return None
    secret = openid.ciba_client_secret.read_text(encoding="utf-8").strip()
    return Backchannel(provider, Asking(openid.ciba_client_id, secret), openid.scope, clock)


def code_flow_of(openid: OpenId, origin: str, provider: OpenIdProvider | None, clock: Clock) -> CodeFlow | None:
    """None: nobody is sent to the provider's page. Raises OSError for a file that cannot be read."""
    if provider is None or openid.code_client_secret is None or not origin:
        return None
    secret = openid.code_client_secret.read_text(encoding="utf-8").strip()
    return CodeFlow(provider, Asking(openid.code_client_id, secret), openid.scope, origin.rstrip("/") + BACK, clock)


def _believed(openid: OpenId) -> ssl.SSLContext:
    if openid.anchors is None:
        return ssl.create_default_context()
    return fetch_context(x509.load_pem_x509_certificates(openid.anchors.read_bytes()))
