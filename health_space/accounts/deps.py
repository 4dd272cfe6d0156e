"""What the pages of accounts need; filled by `runtime`."""

from __future__ import annotations

from dataclasses import dataclass

from foundation.web.kit import Web
from foundation.web.site import Link
from health_space.accounts.port import Send, SignIn


@dataclass(frozen=True, slots=True)
class Deps:
    """`enrol_page`: where who has no second factor at all gets one; "": the people who help give it. `recovery_page`: for
    who has lost theirs; `phone_page`: for who confirms on a telephone. `others`: ways to sign in without the password.
    """

    web: Web
    sign_in: SignIn
    send: Send
    enrol_page: str = ""
    recovery_page: str = ""
    phone_page: str = ""
    others: tuple[Link, ...] = ()
