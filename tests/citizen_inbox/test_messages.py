"""Messagerie and conversation over the real site: reading, answering, closing, neighbours, search."""

from __future__ import annotations

import asyncio

import pytest

from foundation.clock import HOUR
from foundation.database import Transaction
from health_space.notices import operations as notices
from health_space.notices.rules import Kind
from mailserver.delivery.api import Door, Envelope, Recipient, Sender
from tests.support.citizen import DOCTOR, PEER, Town
from tests.support.web import Answer, Visitor


async def first_link(visitor: Visitor, path: str = "/messagerie") -> str:
    node = (await visitor.get(path)).first("a.row")
    return node.attributes["href"] or ""


async def test_nothing_yet_says_how_professionals_reach_me(here: Town, jacqueline: Visitor) -> None:
    assert "Vous n'avez aucun message." in (await jacqueline.get("/messagerie")).words
    home = (await jacqueline.get("/accueil")).words
    assert "Aucun message pour le moment." in home
    assert here.addresses["jacqueline"] in home.replace(" @", "@")  # a line may end before the @


async def test_a_new_message_is_one_click_from_home(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter())
    home = await jacqueline.get("/accueil")
    assert "1 nouveau message" in home.words
    assert "Non lu Dr Aïssata Diallo, médecin généraliste Vos résultats" in home.words
    page = await jacqueline.get(await first_link(jacqueline, "/accueil"))
    assert page.status == 200
    assert "Tout va bien." in page.words
    assert "le 12 novembre 2026 à 9 h 40" in page.words
    assert "Avec Dr Aïssata Diallo , médecin généraliste, Lyon" in page.words
    assert "Non lu" not in (await jacqueline.get("/messagerie")).words


def badge(page: Answer, href: str) -> str:
    node = page.tree.css_first(f'nav.main a[href="{href}"] .badge')
    return "" if node is None else node.text(deep=False).strip()


async def test_opening_a_conversation_reads_its_notifications_and_the_header_knows(
    here: Town, jacqueline: Visitor
) -> None:
    def ring(tx: Transaction, person: str, kind: Kind, cause: bytes) -> None:
        targets = ["/documents/4"] if kind is Kind.DOCUMENT else []
        notices.ring(tx, here.space.keys, here.ids[person], kind, targets, cause, here.now)

    await here.mail(here.letter(subject="Autre", sender=PEER, name="Dr Loin"), PEER)
    await here.mail(here.letter(subject="Un"))
    await here.mail(here.letter(subject="Re: Un", In_Reply_To="<m2@cabinet.example>"))
    for number in range(3):
        await here.db.write(ring, "jacqueline", Kind.MESSAGE, b"%d" % number)
    await here.db.write(ring, "jacqueline", Kind.DOCUMENT, b"document")
    await here.db.write(ring, "paul", Kind.MESSAGE, b"paul")
    before = await jacqueline.get("/messagerie")
    assert (badge(before, "/messagerie"), badge(before, "/notifications")) == ("2", "4")
    link = await first_link(jacqueline)
    opened = await asyncio.gather(*(jacqueline.get(link) for _ in range(3)))  # more than once at the same time
    assert badge(opened[-1], "/messagerie") == "1"
    for page in (await jacqueline.get(link), await jacqueline.get("/notifications")):
        assert (badge(page, "/messagerie"), badge(page, "/notifications")) == ("1", "2")
    assert await here.db.read(notices.unread, [here.ids["paul"]]) == 1


async def test_the_page_that_reads_the_last_message_has_no_number(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter())
    page = await jacqueline.get(await first_link(jacqueline))
    assert (badge(page, "/messagerie"), badge(page, "/notifications")) == ("", "")


async def test_an_answer_is_delivered_with_what_it_answers(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter())
    link = await first_link(jacqueline)
    sent = await jacqueline.upload(
        link, {"texte": "Merci docteur."}, [("pieces", "tension.txt", "text/plain", b"12/8")]
    )
    assert sent.location == link + "?fait=envoye"
    page = await jacqueline.follow(sent)
    assert "Votre message est envoyé." in page.words
    assert "Envoyé · Remis" in page.words
    store = here.space.store
    inbox = next(f for f in await store.folders(here.ids[DOCTOR]) if f.name == "INBOX")
    raw = await store.content(inbox.id, 1) or b""
    assert b"In-Reply-To: <m1@cabinet.example>" in raw
    assert b"Subject: Re: " in raw
    text = raw.decode()
    assert "> Tout va bien." in text
    assert "tension.txt" in text
    assert here.addresses["jacqueline"] in text


async def test_quotations_are_folded_and_text_after_them_stays(here: Town, jacqueline: Visitor) -> None:
    text = "Oui.\n\nLe 3 mai 2026, Vous a écrit :\n> Puis-je sortir ?\n> Merci\n\nÀ bientôt"
    await here.mail(here.letter(text=text))
    page = await jacqueline.get(await first_link(jacqueline))
    quote = page.first("details .quote")
    assert "Puis-je sortir" in quote.text()
    assert "a écrit" in quote.text()
    assert [node.text().strip() for node in page.tree.css("article > .body")] == ["Oui.", "À bientôt"]


async def test_empty_answer_is_an_error_that_says_so(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter())
    link = await first_link(jacqueline)
    answer = await jacqueline.upload(link, {"texte": " "}, [])
    assert answer.status == 422
    assert answer.title().startswith("Erreur : ")
    assert "Écrivez votre message." in answer.words


async def test_too_large_says_both_figures_and_keeps_the_text(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter())
    link = await first_link(jacqueline)
    answer = await jacqueline.upload(
        link, {"texte": "gardé"}, [("pieces", "a.pdf", "application/pdf", b"x" * 8_000_000)]
    )
    assert answer.status == 422
    assert "Vos fichiers font 8 Mo en tout. La limite est de 7 Mo" in answer.words
    assert "gardé" in answer.text


async def test_a_closed_conversation_says_who_when_and_what_next(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter())
    link = await first_link(jacqueline)
    await here.mail(here.letter(subject="[FIN]", text=""))
    page = await jacqueline.get(link)
    assert "Cette conversation est close" in page.words
    assert "Dr Aïssata Diallo a mis fin à cette conversation le 12 novembre 2026 à" in page.words
    assert "Ce professionnel peut vous réécrire à tout moment" in page.words
    assert "04 00 00 00 01" in page.words
    assert page.tree.css_first("textarea") is None
    for where in (page, await jacqueline.get("/messagerie")):
        tags = [node.text() for node in where.tree.css(".tag:not(.new)")]
        assert tags == ["Conversation close"]


async def test_closed_while_writing_keeps_the_text(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter())
    link = await first_link(jacqueline)
    token = await jacqueline.token(link)
    await here.mail(here.letter(subject="[FIN]", text=""))
    answer = await jacqueline.upload(link, {"texte": "Mon long texte"}, [], token=token)
    assert answer.status == 422
    assert "Rien n'a été envoyé." in answer.words
    assert "Mon long texte" in answer.words


async def test_a_message_without_reply_says_so(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter(X_MSS_MES="NOREPLY"))
    page = await jacqueline.get(await first_link(jacqueline))
    assert "L'expéditeur n'accepte pas de réponse à ce message." in page.words
    assert page.tree.css_first("textarea") is None


async def test_neighbours_and_unknown_numbers_are_one_page(place: tuple[Town, str], jacqueline: Visitor) -> None:
    here, origin = place
    message = here.letter()
    message.add_attachment(b"bonjour", maintype="text", subtype="plain", filename="note.txt")
    await here.mail(message)
    link = await first_link(jacqueline)
    piece = (await jacqueline.get(link)).first(".files a")
    base = piece.attributes["href"] or ""
    paul = await here.visitor(origin, "paul")
    unknown = await paul.get("/messagerie/999999999")
    assert unknown.status == 404
    for path in (
        link,
        base,
        base + "/telecharger",
        base + "/pages/1",
        base.replace("pieces/", "mise-en-forme#").split("#")[0],
    ):
        answer = await paul.get(path)
        assert answer.status == 404, path
        same = [answer.words.split("Numéro à donner")[0], unknown.words.split("Numéro à donner")[0]]
        assert same[0] == same[1]
    assert (await paul.upload(link, {"texte": "x"}, [], token=await paul.token("/messagerie"))).status == 404


async def test_a_child_s_messages_only_for_the_parent_on_that_profile(place: tuple[Town, str]) -> None:
    here, origin = place
    await here.mail(here.letter("louise", subject="Vaccins de Louise"))
    louise = await here.visitor(origin, "claire", "louise")
    home = (await louise.get("/accueil")).words
    assert "Son adresse" in home
    assert "adresse de messagerie de santé de Louise Petit" in home
    link = await first_link(louise)
    assert "Vaccins de Louise" in (await louise.get(link)).words
    claire = await here.visitor(origin, "claire")
    assert (await claire.get(link)).status == 404
    sent = await louise.upload(link, {"texte": "Merci"}, [])
    assert sent.status == 303
    inbox = next(f for f in await here.space.store.folders(here.ids[DOCTOR]) if f.name == "INBOX")
    raw = (await here.space.store.content(inbox.id, 1) or b"").decode()
    assert "Message =C3=A9crit par Claire Petit, pour Louise Petit" in raw
    assert f"<{here.addresses['louise']}>" in raw


async def test_search_finds_without_accents_and_leaves_no_trace_in_addresses(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter(subject="Dépistage", text="mammographie"))
    await here.mail(here.letter(subject="Autre chose", text="rien"))
    answer = await jacqueline.post(
        "/messagerie/recherche", {"mots": "DEPISTAGE"}, token=await jacqueline.token("/messagerie")
    )
    assert answer.location == "/messagerie?recherche=1"
    words = (await jacqueline.follow(answer)).words
    assert "1 conversation trouvée" in words
    assert "Autre chose" not in words
    answer = await jacqueline.post(
        "/messagerie/recherche", {"mots": "introuvable"}, token=await jacqueline.token("/messagerie")
    )
    assert "Aucun résultat" in (await jacqueline.follow(answer)).words


async def test_twenty_five_a_page_and_unread_filter(here: Town, jacqueline: Visitor) -> None:
    for number in range(27):
        await here.mail(here.letter(subject=f"Lettre {number}"))
    page = await jacqueline.get("/messagerie")
    assert len(page.tree.css("a.row")) == 25
    assert "Page 1 sur 2" in page.words
    assert [n.text() for n in (await jacqueline.get("/messagerie?page=2")).tree.css("a.row")] == [
        "Lettre 1",
        "Lettre 0",
    ]
    await jacqueline.get(await first_link(jacqueline))
    assert "Conversations non lues : 26." in (await jacqueline.get("/messagerie?voir=non-lus")).words


async def test_new_message_only_to_those_who_wrote(here: Town, jacqueline: Visitor) -> None:
    assert "Vous ne pouvez écrire à personne pour le moment." in (await jacqueline.get("/messagerie/nouveau")).words
    await here.mail(here.letter())
    page = await jacqueline.get("/messagerie/nouveau")
    assert "Les professionnels qui ont clos la conversation n'apparaissent pas ici." in page.words
    choice = page.first("input[type=radio]")
    values = {"destinataire": choice.attributes["value"] or "", "objet": "Question", "texte": "Puis-je courir ?"}
    sent = await jacqueline.upload("/messagerie/nouveau", values, [])
    assert "Puis-je courir ?" in (await jacqueline.follow(sent)).words
    wrong = await jacqueline.upload("/messagerie/nouveau", {**values, "destinataire": "999"}, [])
    assert wrong.status == 422
    assert "Choisissez un destinataire." in wrong.words
    assert "Puis-je courir ?" in wrong.text


async def test_a_message_to_another_operator_is_sent(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter(sender=PEER, name="Dr Loin"), PEER)
    link = await first_link(jacqueline)
    sent = await jacqueline.upload(link, {"texte": "Merci"}, [])
    words = (await jacqueline.follow(sent)).words
    assert "Votre message est envoyé." in words
    assert "Envoyé · Remis" not in words


async def test_typed_in_an_ended_session_comes_back_in_the_form(place: tuple[Town, str], jacqueline: Visitor) -> None:
    here, origin = place
    await here.mail(here.letter())
    link = await first_link(jacqueline)
    token = await jacqueline.token(link)
    here.now += HOUR
    late = await jacqueline.upload(link, {"texte": "Texte tapé trop tard"}, [], token=token)
    assert late.location == f"/connexion?suite={link}&garde=1"
    again = await here.visitor(origin)
    assert "Texte tapé trop tard" in (await again.get(link)).text


async def test_an_answer_with_an_error_can_be_sent_again(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter())
    link = await first_link(jacqueline)
    token = await jacqueline.token(link)
    assert (await jacqueline.upload(link, {"_once": "a", "texte": ""}, [], token=token)).status == 422
    assert (await jacqueline.upload(link, {"_once": "a", "texte": "Oui"}, [], token=token)).status == 303
    assert (await jacqueline.upload(link, {"_once": "a", "texte": "Oui"}, [], token=token)).status == 303
    assert len((await jacqueline.get(link)).tree.css("article.mine")) == 1


async def test_a_notice_of_the_system_cannot_be_answered(here: Town, jacqueline: Visitor) -> None:
    notice = here.letter(
        subject="Votre message n'a pas pu être remis", sender="postmaster@cabinet.example", name="Messagerie"
    )
    envelope = Envelope(Sender(Door.SYSTEM), "", (Recipient(here.addresses["jacqueline"]),))
    await here.delivery.accept(envelope, here.space.blobs.prepare(notice.as_bytes()))
    page = await jacqueline.get(await first_link(jacqueline))
    assert "Ce message n'attend pas de réponse" in page.words
    assert page.tree.css_first("textarea") is None


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("", "Dr Aïssata Diallo"),  # many programs send a bare address: the directory knows the name
        ("Dr Aïssata Diallo", "Dr Aïssata Diallo"),
        ("Votre banque", "Votre banque (Dr Aïssata Diallo)"),  # a chosen name never hides who it is
    ],
)
async def test_a_message_is_signed_by_the_directory(here: Town, jacqueline: Visitor, given: str, shown: str) -> None:
    letter = here.letter()
    del letter["From"]
    letter["From"] = f'"{given}" <{DOCTOR}>' if given else DOCTOR
    await here.mail(letter)
    page = await jacqueline.get(await first_link(jacqueline))
    assert [node.text(strip=True) for node in page.tree.css("article h2")] == [shown]
