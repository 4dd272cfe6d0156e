"""How the values of `mssante.toml` that are no plain text or number are written: doors, domains, selectors, addresses, paths."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_SELECTOR = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")  # RFC 6376 3.1


def is_door(value: str) -> str:
    host, _, port = value.rpartition(":")
    if value and (not host or not port.isdigit() or int(port) > 65535):
        raise ValueError("une porte s’écrit hôte:port // a door is written host:port")
    return value


def _is_domain(value: str) -> str:
    if not _DOMAIN.fullmatch(value.lower()):
        raise ValueError("ce n’est pas un nom de domaine // not a domain name")
    return value.lower()


def _is_selector(value: str) -> str:
    if not _SELECTOR.fullmatch(value.lower()):
        raise ValueError(
            "pas un sélecteur : lettres, chiffres, tirets // not a selector: labels of letters, digits and hyphens"
        )
    return value.lower()


def _is_https(value: str) -> str:
    if value and not re.fullmatch(r"https://[^\s/@?#]+(/[^\s#]*)?", value):
        raise ValueError(
            "une adresse s’écrit https://hôte/chemin, sans nom ni mot de passe // "
            "an address is written https://host/path, without a name or password"
        )
    return value


def in_folder(value: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder", Path())
    return value if str(value) in ("", ".") else Path(folder) / value


Door = Annotated[str, AfterValidator(is_door)]
Domain = Annotated[str, AfterValidator(_is_domain)]
HttpsUrl = Annotated[str, AfterValidator(_is_https)]
Selector = Annotated[str, AfterValidator(_is_selector)]
InFolder = Annotated[Path, AfterValidator(in_folder)]
