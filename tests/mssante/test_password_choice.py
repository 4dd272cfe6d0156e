"""Which passwords a person may choose, as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssante.password_choice import Weak, weak

OLD = "cheval correct pile"
NAMES = ("camille.roche", "camille.roche@alpha.example", "Dr Camille Roche")
TABLE: list[tuple[str, Weak | None]] = [
    ("", Weak.SHORT),
    ("court court", Weak.SHORT),
    ("x" * 257, Weak.LONG),
    (OLD, Weak.SAME),
    ("camille.roche", Weak.OWN_NAME),
    ("CamilleRoche2026", Weak.OWN_NAME),
    ("rochecamille!!", Weak.OWN_NAME),
    ("camille roche camille", Weak.OWN_NAME),
    ("motdepasse2026", Weak.TRIED_FIRST),
    ("Mot de passe 123", Weak.TRIED_FIRST),
    ("P@ssword2026!", Weak.TRIED_FIRST),
    ("azertyuiop123", Weak.TRIED_FIRST),
    ("aaaaaaaaaaaaaaaa", Weak.TRIED_FIRST),
    ("121212121212", Weak.TRIED_FIRST),
    ("012345678901", Weak.TRIED_FIRST),
    ("abcdefghijkl", Weak.TRIED_FIRST),
    ("Docteur2026!!", Weak.TRIED_FIRST),
    ("Septembre2026!", Weak.TRIED_FIRST),
    ("girafe tiède sous parasol", None),
    ("vélo lent, 3 nuages", None),
    ("kx7-Qm2-pLz9w", None),
    ("camille aime les girafes tièdes", None),
    ("мой дядя самых честных", None),
    ("七つの海を渡る白い鯨の歌", None),
]


@pytest.mark.parametrize(("password", "why"), TABLE)
def test_table(password: str, why: Weak | None) -> None:
    assert weak(password, OLD, NAMES) is why


@given(st.text(max_size=300), st.text(max_size=20), st.lists(st.text(max_size=20), max_size=3))
def test_never_a_fault(password: str, old: str, names: list[str]) -> None:
    assert weak(password, old, names) in (None, *Weak)
