"""docs/rules.md section 1, over real sockets: each fault at the border is told with its exact code, in words."""

from __future__ import annotations

import socket
from email import message_from_bytes, policy

import pytest

from certs.authority import Authority
from foundation.clock import DAY, HOUR, system_clock
from tests.support.demo import Demo, compose, wait_until
from tests.support.peer import Peer, authority, certificate_of, issue, mail
from tests.support.there import there

BETA = "antoine.vidal@medecins.beta.example"
GP = "camille.roche@medecins.alpha.example"


def test_the_listed_operator_with_its_listed_certificate_delivers(demo: Demo) -> None:
    with Peer(demo, certificate_of(demo)) as peer:
        code, text = peer.send(BETA, GP, mail(BETA, GP, "Passage de la frontière"))
        assert code == 250, text
    assert b"Passage de la fronti" in demo.wait_for(demo.person("medecin"), "Passage de la frontière")


def test_what_leaves_is_signed_twice_and_both_hold_on_the_other_side(demo: Demo) -> None:
    other = demo.person("confrere")
    forged = {"Authentication-Results": "mail.beta.example; dkim=pass header.d=bank.example"}
    demo.send("medecin", other["address"], "Deux signatures", headers=forged)
    stored = demo.wait_for(other, "Deux signatures")
    told = stored.decode().partition("Received:")[0]
    assert told.count("Authentication-Results: mail.beta.example;") == 1
    assert told.count("dkim=pass ") == told.count("header.d=medecins.alpha.example ") == 2
    assert b"bank.example" not in stored


@pytest.mark.parametrize("shown", ["Ministre de la Santé <{}>", "{}"])
def test_the_name_that_from_shows_is_the_directorys(demo: Demo, shown: str) -> None:
    """Whatever a doctor's program says, and where it says nothing; what leaves is signed so."""
    doctor, other, subject = demo.person("medecin"), demo.person("confrere"), f"Le nom {shown[:8]}"
    with demo.submission(doctor) as smtp:
        smtp.send_message(compose(shown.format(GP), other["address"], subject, "Bonjour."), GP)
    stored = message_from_bytes(demo.wait_for(other, subject), policy=policy.default)
    assert stored["From"] == f"{doctor['name']} <{GP}>"
    assert ("X-MSS-Original-From" in stored) is ("Ministre" in shown)
    assert str(stored["Authentication-Results"]).count("dkim=pass") == 2


def test_plain_text_is_refused_after_offering_starttls(demo: Demo) -> None:
    with Peer(demo, tls=False) as peer:
        assert peer.smtp.has_extn("starttls")
        code, text = peer.mail(BETA)
        assert (code, text[:5]) == (530, "5.7.0")


@pytest.mark.parametrize("fault", ["none", "self-signed", "expired", "not yet valid", "wrong name", "revoked"])
def test_a_faulty_certificate_is_told_never_dropped(demo: Demo, fault: str) -> None:
    now, ca = system_clock(), authority(demo)
    match fault:
        case "none":
            certificate = None
        case "self-signed":
            certificate = issue(Authority.create(now, label="AUTRE"), "mail.beta.example")
        case "expired":
            certificate = issue(ca, start=now - 20 * DAY, end=now - DAY)
        case "not yet valid":
            certificate = issue(ca, start=now + DAY, end=now + 20 * DAY)
        case "revoked":
            certificate = issue(ca)
            ca.revoke(certificate.certificate, now - HOUR)
            ca.save(demo.data / "pki", now)
        case _:
            certificate = issue(ca)  # in order, but not the one listed for the domain
    expected = {
        "none": "no operator certificate",
        "self-signed": "does not chain to an authority",
        "expired": "has expired",
        "not yet valid": "is not valid yet",
        "revoked": "has been revoked",
        "wrong name": "not listed for the domain medecins.beta.example",
    }

    def told() -> bool:
        with Peer(demo, certificate) as peer:
            code, text = peer.mail(BETA)
            assert (code, text[:5]) == (550, "5.7.1"), text
            return expected[fault] in text.replace("\n5.7.1", "")

    # revocation lists are reread every five seconds; the other faults are seen at once
    wait_until(told, 10 if fault == "revoked" else 0.5, expected[fault])


def test_an_unlisted_domain_is_refused_on_both_sides(demo: Demo) -> None:
    with Peer(demo, certificate_of(demo)) as peer:
        code, text = peer.mail("someone@unlisted.example")
        assert (code, text[:5]) == (550, "5.7.1"), text
        assert "unlisted.example" in text
        assert peer.mail(BETA)[0] == 250
        code, text = peer.rcpt("someone@unlisted.example")
        assert (code, text[:5]) == (550, "5.7.1"), text


def test_the_peer_may_not_relay_to_a_third_operator(demo: Demo) -> None:
    with Peer(demo, certificate_of(demo)) as peer:
        peer.mail(BETA)
        assert peer.rcpt("quelqu.un@medecins.beta.example")[0] == 550


def test_a_forged_from_header_is_refused(demo: Demo) -> None:
    with Peer(demo, certificate_of(demo)) as peer:
        code, text = peer.send(BETA, GP, mail(GP, GP))
        assert (code, text[:5]) == (550, "5.7.1"), text


SMUGGLING = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\n\n.\r\n", b"\r.\r\n", b"\r\n\r.\r\n"]


@pytest.mark.parametrize("end", SMUGGLING, ids=[repr(end) for end in SMUGGLING])
def test_no_end_of_data_but_crlf_dot_crlf(demo: Demo, end: bytes) -> None:
    """After a false end of data the rest must not be read as commands: at most one message, here none."""
    inner = b"MAIL FROM:<evil@medecins.beta.example>\r\nRCPT TO:<camille.roche@medecins.alpha.example>\r\nDATA\r\n"
    with Peer(demo, certificate_of(demo)) as peer:
        assert peer.mail(BETA)[0] == 250
        assert peer.rcpt(GP)[0] == 250
        assert peer.do("DATA")[0] == 354
        smuggled = mail(BETA, GP, "Contrebande")
        peer.smtp.send(mail(BETA, GP, "Porteur") + end + inner + smuggled + b"\r\n.\r\n")
        code, text = peer._reply()
        assert code >= 500, text
        there(peer.smtp.sock).settimeout(0.5)
        with pytest.raises((TimeoutError, OSError)):
            peer._reply()
    with demo.imap(demo.person("medecin")) as imap:
        imap.select("INBOX")
        for subject in ("Contrebande", "Porteur"):
            assert imap.uid("SEARCH", "SUBJECT", f'"{subject}"')[1] == [b""]


def test_over_long_lines_and_unknown_commands_are_answered(demo: Demo) -> None:
    with Peer(demo, certificate_of(demo)) as peer:
        assert peer.do("X" * 3000)[0] == 500
        assert peer.do("WHAT")[0] == 500
        assert peer.mail(BETA)[0] == 250
        assert peer.rcpt(GP)[0] == 250
        code, _ = peer.data(mail(BETA, GP, body="y" * 5000))
        assert code in (500, 550, 554)


def test_a_size_too_large_is_said_before_and_after_data(demo: Demo) -> None:
    with Peer(demo, certificate_of(demo)) as peer:
        code, text = peer.mail(BETA, " SIZE=900000000")
        assert (code, text[:5]) == (552, "5.3.4"), text
        assert peer.mail(BETA)[0] == 250
        assert peer.rcpt(GP)[0] == 250
        line = b"z" * 998 + b"\r\n"
        code, text = peer.data(mail(BETA, GP) + line * 27_000)
        assert (code, text[:5]) == (552, "5.3.4"), text


def test_ten_thousand_recipients_cost_little_and_get_a_clear_answer(demo: Demo) -> None:
    with Peer(demo, certificate_of(demo)) as peer:
        peer.mail(BETA)
        lines = b"".join(b"RCPT TO:<personne%d@medecins.alpha.example>\r\n" % i for i in range(10_000))
        peer.smtp.send(lines)
        codes = [peer._reply()[0] for _ in range(1_500)]
        assert set(codes) <= {550, 452, 421}


def test_commands_before_starttls_do_not_survive_it(demo: Demo) -> None:
    host, port = demo.door("smtp")
    with socket.create_connection((host, port), 10) as raw:
        raw.recv(1024)
        raw.sendall(b"EHLO x.example\r\n")
        raw.recv(4096)
        raw.sendall(b"STARTTLS\r\nMAIL FROM:<%s>\r\n" % BETA.encode())
        answer = raw.recv(4096)
        assert answer.startswith(b"220") or answer[:1] == b"5"
        assert answer.count(b"\r\n") == 1
