"""`make` alone starts nothing: it says in words what there is to make."""

from __future__ import annotations

import re
import subprocess

from tests.docs.tree import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def test_make_alone_names_every_verb_and_does_nothing() -> None:
    found = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    told = dict(re.findall(r"^  make ([a-z-]+) +(\S.*)$", found.stdout, re.M))
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.M)
    assert phony is not None
    assert list(told) == phony[1].split()
    assert len(found.stdout.splitlines()) == len(told)


def test_the_readme_says_verbs_that_there_are() -> None:
    said = set(re.findall(r"(?:`|^    )make ([a-z-]+)", (ROOT / "README.md").read_text(), re.M))
    assert said >= {"run", "test"}
    assert said <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))
