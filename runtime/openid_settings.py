"""`[openid]`: what is believed of an OpenID provider, and what we are called there."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from foundation.settings import Section
from runtime.settings_values import InFolder


class OpenId(Section):
    """Tokens of an OpenID provider in mail clients (OAUTHBEARER, XOAUTH2): Pro Santé Connect, or another."""

    issuer: str = Field(
        "", description="who signs: `https://auth.esw.esante.gouv.fr/auth/realms/esante-wallet`; empty: nobody"
    )
    audience: str = Field("", description="whom tokens must be made for (`aud`): our name at the provider")
    clients: list[str] = Field(
        default_factory=list, description="programs whose tokens are taken (`azp` or `client_id`); none named: all"
    )
    acr: list[str] = Field(
        default_factory=lambda: ["eidas1"], description="how its owner must have signed in, one of these; `[]`: anyhow"
    )
    subject_claim: str = Field(
        "preferred_username",
        description="what names the person: an RPPS number, or a login here; nobody may choose it for themselves",
    )
    scope: str = Field("openid", description="what clients are told to ask the provider for")
    client_id: str = Field("", description="with `client_secret`: the provider is asked about each token (RFC 7662)")
    client_secret: InFolder | None = Field(None, description="file, mode 0600; goes with `client_id`")
    ciba_client_id: str = Field(
        "",
        description="our name there, to confirm a sign-in to « Mon compte » on one's telephone (CIBA); empty: not offered",
    )
    ciba_client_secret: InFolder | None = Field(None, description="file, mode 0600; goes with `ciba_client_id`")
    code_client_id: str = Field(
        "",
        description="our name there, to sign in to « Mon compte » on its page (code, PKCE); it sends people back to "
        "`<web.origin>/mon-compte/connexion/pro-sante-connect/retour`; empty: not offered",
    )
    code_client_secret: InFolder | None = Field(None, description="file, mode 0600; goes with `code_client_id`")
    anchors: InFolder | None = Field(None, description="roots of the provider's certificate; none: this machine's")

    @model_validator(mode="after")
    def _whole(self) -> OpenId:
        for name, secret in (("ciba_client", self.ciba_client_secret), ("code_client", self.code_client_secret)):
            _together(name, getattr(self, f"{name}_id"), secret)
            if secret is not None and not self.issuer:
                raise ValueError(f"{name}_id : auprès de quel issuer ? // {name}_id: at which issuer?")
        if self.issuer and not self.issuer.startswith(("https://", "http://127.0.0.1:")):
            raise ValueError(
                "issuer : https://… (ou http://127.0.0.1:… pour un essai) // issuer: https://… (or http://127.0.0.1:… for a try)"
            )
        if self.issuer and not self.audience:
            raise ValueError(
                "audience manque : des jetons faits pour d’autres ouvriraient des boîtes // "
                "audience is missing: tokens made for others would open mailboxes"
            )
        _together("client", self.client_id, self.client_secret)
        return self


def _together(name: str, known_as: str, secret: Path | None) -> None:
    if bool(known_as) != (secret is not None):
        raise ValueError(f"{name}_id et {name}_secret vont ensemble // {name}_id and {name}_secret go together")
