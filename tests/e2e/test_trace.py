"""`mssante message trace` beside the running servers: the way of a message at both operators."""

from __future__ import annotations

import time
from typing import Any

from tests.support.demo import Demo, mssante, printed, wait_until

BETA = "antoine.vidal@medecins.beta.example"


def traces(demo: Demo, operator: str, *words: str) -> list[dict[str, Any]]:
    done = mssante(demo.data / operator, "message", "trace", *words, "--json")
    return printed(done) if done.returncode == 0 else []


def test_from_reception_to_the_last_verdict(demo: Demo) -> None:
    patient, doctor = demo.person("jacqueline")["address"], demo.person("medecin")["address"]
    subject = f"Interruption {time.time_ns()}"
    message = demo.send("medecin", f"{patient}, {BETA}", subject)
    ident = message["Message-ID"]

    def arrived() -> bool:
        [one] = traces(demo, "alpha", "--id", ident)
        return [who["verdict"] for who in one["recipients"]] == ["delivered", "accepted"]

    wait_until(arrived, 30, "accepted at beta")
    [here] = traces(demo, "alpha", "--id", ident, "--address", BETA)
    [there] = traces(demo, "beta", "--id", ident)
    assert (here["door"], there["door"]) == ("submission", "mx")
    assert [who["address"] for who in here["recipients"]] == [patient, BETA]
    assert [who["verdict"] for who in there["recipients"]] == ["delivered"]
    assert here["steps"][-1]["host"]
    assert here["at"] <= here["steps"][-1]["at"]

    day = here["at"][:10]
    assert ident in {one["message_id"] for one in traces(demo, "alpha", "--address", doctor, "--day", day)}
    said = mssante(demo.data / "alpha", "message", "trace", "--id", ident)
    assert f"  {BETA} : accepté par l’autre opérateur\n" in said.stdout  # where it stands, then how it came there
    assert "données personnelles" in said.stdout
    assert subject not in said.stdout + str(here) + str(there)


def test_a_refusal_is_found_by_the_address_that_was_meant(demo: Demo) -> None:
    wrong = f"personne.{time.time_ns()}@medecins.alpha.example"
    person = demo.person("medecin")
    with demo.submission(person) as smtp:
        smtp.mail(person["address"])
        code, _ = smtp.rcpt(wrong)
    assert code == 550
    [one] = wait_until(lambda: traces(demo, "alpha", "--address", wrong), 20, "the refusal's trace")
    assert [(who["verdict"], who["reason"]) for who in one["recipients"]] == [("refused", "box_unknown")]
    assert "refusé (box_unknown : " in mssante(demo.data / "alpha", "message", "trace", "--address", wrong).stdout


def test_a_question_without_an_answer(demo: Demo) -> None:
    assert mssante(demo.data / "alpha", "message", "trace", "--id", "<none@nowhere.example>").returncode == 1
    assert mssante(demo.data / "alpha", "message", "trace").returncode == 2
