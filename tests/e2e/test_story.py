"""The whole story, both directions and both operators, with clients that nobody here wrote."""

from __future__ import annotations

import email
import re
import subprocess
import time
from email import policy
from email.message import EmailMessage

import pytest
from imapclient import IMAPClient
from playwright.async_api import Browser, Page, expect

from runtime.demo import table
from tests.support import files
from tests.support.browser_session import WebSession
from tests.support.clients import swaks
from tests.support.demo import Demo, compose, uids_of, wait_until
from tests.support.there import there

FULL = "(BODY.PEEK[])"


def parsed(octets: bytes) -> EmailMessage:
    found = email.message_from_bytes(octets, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def written(message: EmailMessage) -> str:
    """Its plain text."""
    return str(there(message.get_body(("plain",))).get_content())


def imap_client(demo: Demo, person: dict[str, str]) -> IMAPClient:
    host, port = demo.door("imaps", person["operator"])
    client = IMAPClient(host, port, ssl_context=demo.trust(person["operator"]), timeout=20)
    client.login(person["login"], person["password"])
    return client


# -------------------------------------------------------------------- a doctor writes to Jacqueline
def test_she_reads_what_the_doctor_sends(demo: Demo, jacqueline: WebSession) -> None:
    subject = f"Envoi par swaks {time.time_ns()}"
    text = ("--header", f"Subject: {subject}", "--body", "Bonjour, tout va bien.")
    sent = swaks(demo, demo.person("medecin"), demo.person("jacqueline")["address"], *text)
    assert sent.code == 0, sent.out
    page = jacqueline.get(jacqueline.conversation(subject))
    assert "Bonjour, tout va bien." in page.words
    assert "Dr Camille Roche" in page.words


def test_the_lines_to_try_work_as_they_are_printed(demo: Demo, jacqueline: WebSession) -> None:
    lines = [line.strip() for line in table.text(demo.facts, demo.data).splitlines()]
    write, read = (next(line for line in lines if line.startswith(tool)) for tool in ("printf", "curl"))
    written = subprocess.run(["sh", "-c", write], capture_output=True, text=True, check=True)
    assert written.stdout + written.stderr == ""
    jacqueline.answer(jacqueline.conversation("Votre bilan"), "Merci de ces bonnes nouvelles.")
    found = subprocess.run(["sh", "-c", read], capture_output=True, text=True, check=True)
    assert "Subject: Re: Votre bilan" in found.stdout
    assert "Merci de ces bonnes nouvelles." in found.stdout


# -------------------------------------------------------------------- she answers, the doctor reads
def test_her_answer_reaches_the_doctor_in_the_same_thread(demo: Demo, jacqueline: WebSession) -> None:
    doctor = demo.person("medecin")
    sent = demo.send("medecin", demo.person("jacqueline")["address"], "Suivi de votre tension", "Comment allez-vous ?")
    conversation = jacqueline.conversation("Suivi de votre tension")
    with imap_client(demo, doctor) as imap:
        imap.select_folder("INBOX")
        imap.idle()
        page = jacqueline.answer(conversation, "Très bien, merci docteur.")
        assert page.path == conversation, "the answer stays in the conversation"
        pushed = imap.idle_check(timeout=10)
        imap.idle_done()
        assert any(b"EXISTS" in line for line in pushed), pushed
    answer = parsed(demo.wait_for(doctor, "Suivi de votre tension"))
    assert answer["In-Reply-To"] == sent["Message-ID"]
    assert sent["Message-ID"] in answer["References"]
    assert answer["From"].addresses[0].addr_spec == demo.person("jacqueline")["address"]
    assert answer["From"].addresses[0].display_name == "Jacqueline Morel"
    body = written(answer)
    assert body.startswith("Très bien, merci docteur.")
    assert "> Comment allez-vous ?" in body


def test_the_laboratory_sends_a_pdf_that_is_filed_in_her_dossier(demo: Demo, jacqueline: WebSession) -> None:
    name, content = f"bilan-{time.time_ns()}.pdf", files.pdf(f"Hemoglobine {time.time_ns()}")
    demo.send(
        "laboratoire", demo.person("jacqueline")["address"], "Vos résultats d'analyses", "Voici vos résultats.",
        attachments=[(name, content, "application", "pdf")],
    )  # fmt: skip
    title = name.removesuffix(".pdf")
    href = wait_until(
        lambda: next(
            (h for h, label in jacqueline.get("/documents").links("/documents/").items() if title in label), ""
        ),
        20,
        "the document in her dossier",
    )
    page = jacqueline.get(href)
    assert "Laboratoire des Tilleuls" in page.words
    assert "Reçu par message" in page.words
    assert jacqueline.get(f"{href}/pages/1").headers["Content-Type"].startswith("image/")
    assert jacqueline.get(f"{href}/telecharger").body == content
    assert "Un nouveau document est arrivé dans vos documents." in jacqueline.get("/notifications").words
    conversation = jacqueline.get(jacqueline.conversation("Vos résultats d'analyses"))
    attachment = next(iter(conversation.links(f"{conversation.path}/")))
    assert jacqueline.get(f"{attachment}/telecharger").body == content


def test_a_team_reads_and_answers_from_its_own_box(demo: Demo, jacqueline: WebSession) -> None:
    nadia, thomas = demo.member("cardiologie", 0), demo.member("cardiologie", 1)
    patient = demo.person("jacqueline")["address"]
    subject = f"Votre consultation {time.time_ns()}"
    first = compose(nadia["address"], patient, subject, "Venez mardi à 10 h.")
    with demo.submission(nadia) as smtp:
        smtp.send_message(first)
    jacqueline.answer(jacqueline.conversation(subject), "Mardi me convient.")
    answer = parsed(demo.wait_for(thomas, subject))
    assert "Mardi me convient." in written(answer)
    with demo.imap(thomas) as imap:
        uid = str(uids_of(imap, subject)[-1])
        imap.uid("STORE", uid, "+FLAGS", r"(\Seen \Answered)")
    with demo.imap(nadia) as imap:
        imap.select("INBOX")
        assert b"\\Answered" in imap.uid("FETCH", uid, "(FLAGS)")[1][0], "what one member did the other sees"
    headers = {"In-Reply-To": answer["Message-ID"], "References": f"{answer['References']} {answer['Message-ID']}"}
    with demo.submission(thomas) as smtp:
        smtp.send_message(compose(thomas["address"], patient, f"RE: {subject}", "C'est noté.", headers=headers))
    conversation = jacqueline.conversation(subject)
    page = wait_until(
        lambda: found if "C'est noté." in (found := jacqueline.get(conversation)).words else None, 10, "the answer"
    )
    assert page.words.index("Venez mardi") < page.words.index("Mardi me convient.") < page.words.index("C'est noté.")


def test_a_profile_not_yet_activated_receives_and_one_that_opposed_does_not(demo: Demo) -> None:
    paul, denise = demo.person("paul")["address"], demo.person("denise")["address"]
    before = time.time()
    sent = swaks(demo, demo.person("medecin"), paul, "--header", "Subject: Bienvenue", "--body", "Bonjour Paul.")
    assert sent.code == 0, sent.out
    letters = demo.data / "alpha" / "outbox"

    def told() -> bool:
        fresh = (path.read_text() for path in letters.glob("*.eml") if path.stat().st_mtime >= before - 0.01)
        return any("paul@courrier.example" in letter and "pas encore activ" in letter for letter in fresh)

    wait_until(told, 15, "a notice to his private address")
    refused = swaks(demo, demo.person("medecin"), denise, "--header", "Subject: Bienvenue", "--body", "Bonjour.")
    assert refused.code == 24, refused.out
    assert "550-5.2.1 This person opposed" in refused.out


# -------------------------------------------------------------------- over the border
def test_mail_crosses_the_border_and_its_answers_come_back(demo: Demo, jacqueline: WebSession) -> None:
    far, near, stamp = demo.person("confrere"), demo.person("medecin"), str(time.time_ns())
    patient = demo.person("jacqueline")["address"]
    demo.send("confrere", near["address"], f"Avis entre confrères {stamp}", "Qu'en penses-tu ?")
    arrived = parsed(demo.wait_for(near, f"Avis entre confrères {stamp}", timeout=20))
    assert arrived["From"].addresses[0].addr_spec == far["address"]
    assert any("with ESMTPS" in line for line in arrived.get_all("Received", [])), arrived.get_all("Received")
    headers = {"In-Reply-To": arrived["Message-ID"], "References": arrived["Message-ID"]}
    demo.send("medecin", far["address"], f"RE: Avis entre confrères {stamp}", "D'accord avec toi.", headers=headers)
    back = parsed(demo.wait_for(far, f"RE: Avis entre confrères {stamp}", timeout=20))
    assert back["In-Reply-To"] == arrived["Message-ID"]

    demo.send("confrere", patient, f"Votre échographie {stamp}", "Tout est normal.")
    conversation = jacqueline.conversation(f"Votre échographie {stamp}", 20)
    assert "Tout est normal." in jacqueline.get(conversation).words
    jacqueline.answer(conversation, "Merci docteur Vidal.")
    answer = parsed(demo.wait_for(far, f"Votre échographie {stamp}", timeout=20))
    assert answer["From"].addresses[0].addr_spec == patient
    assert written(answer).startswith("Merci docteur Vidal.")


def test_a_refusal_by_the_other_operator_comes_back_as_a_readable_report(demo: Demo) -> None:
    stamp = str(time.time_ns())
    unknown = "personne.inconnue@medecins.beta.example"
    demo.send("medecin", unknown, f"Vers personne {stamp}", "Bonjour.")
    with demo.imap(demo.person("medecin")) as imap:

        def reports() -> list[EmailMessage]:
            imap.select("INBOX")
            _, found = imap.uid("SEARCH", "HEADER", "Auto-Submitted", "auto-", "BODY", unknown)
            return [parsed(imap.uid("FETCH", uid.decode(), FULL)[1][0][1]) for uid in found[0].split()]

        report = wait_until(reports, 20, "a report")[-1]
    assert report.get_content_type() == "multipart/report"
    text, status = [*report.iter_parts()][:2]
    assert "Action: failed" in status.as_string()
    assert f"Final-Recipient: rfc822;{unknown}" in status.as_string().replace("rfc822; ", "rfc822;")
    assert "n'existe pas" in text.get_content().replace("’", "'"), text


# -------------------------------------------------------------------- Jacqueline, in a browser
async def sign_in(page: Page, demo: Demo, role: str) -> None:
    person = demo.person(role)
    await page.goto(demo.url("/"))
    await page.get_by_label("Identifiant").fill(person["login"])
    await page.get_by_label("Mot de passe").fill(person["password"])
    since = time.time()
    await page.get_by_role("button", name="Se connecter").click()
    await page.get_by_label("Code à 6 chiffres").fill(demo.code(role, since))
    await page.get_by_role("button", name="Continuer").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Bonjour")


@pytest.mark.timeout(180)
async def test_jacqueline_in_a_browser(demo: Demo, browser: Browser) -> None:
    patient, stamp = demo.person("jacqueline")["address"], str(time.time_ns())
    subject, name = f"Votre ordonnance {stamp}", f"ordonnance-{stamp}.pdf"
    demo.send(
        "medecin", patient, subject, "Bonjour Madame,\n\nVoici votre ordonnance.",
        attachments=[(name, files.pdf(f"Bisoprolol {stamp}"), "application", "pdf")],
    )  # fmt: skip
    page = await (await browser.new_context(viewport={"width": 360, "height": 800}, locale="fr-FR")).new_page()
    await sign_in(page, demo, "jacqueline")

    # reads, previews, answers
    await page.get_by_role("link", name=subject).first.click()
    await expect(page.get_by_text("Voici votre ordonnance.")).to_be_visible()
    await page.get_by_role("link", name=name).click()
    picture = page.locator("img.paper").first
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
    await page.get_by_role("link", name="Retour").first.click()
    await page.get_by_label("Votre message").fill("Merci, je passe à la pharmacie.")
    await page.get_by_role("button", name="Envoyer ma réponse").click()
    await expect(page.get_by_role("status")).to_have_text("Votre message est envoyé.")
    demo.wait_for(demo.person("medecin"), subject)

    # the doctor closes: she is told who, when and what next, and has no form any more
    demo.send("medecin", patient, "[FIN]", "")
    await page.reload()
    await expect(page.get_by_role("heading", name="Cette conversation est close")).to_be_visible()
    notice = (await page.locator("#repondre").inner_text()).replace("\u00a0", " ")
    assert re.search(r"Dr Camille Roche a mis fin à cette conversation le \d{1,2}(er)? \w+", notice), notice
    assert "peut vous réécrire" in notice
    assert await page.get_by_label("Votre message").count() == 0

    # the prescription is in her documents; to the pharmacy in four pages
    async def filed() -> bool:
        await page.goto(demo.url("/documents"))
        return await page.get_by_role("link", name=f"ordonnance-{stamp}").count() > 0

    deadline = time.monotonic() + 20
    while not await filed():
        assert time.monotonic() < deadline, "the prescription among her documents"
    await page.get_by_role("link", name="Notifications").click()
    await expect(page.get_by_text("Un nouveau document est arrivé").first).to_be_visible()
    await expect(page.get_by_text(f"ordonnance-{stamp}").first).to_be_visible()
    await page.get_by_role("link", name="Accueil").first.click()
    await page.get_by_role("link", name="Envoyer une ordonnance").first.click()
    pages = {await page.title()}
    await page.get_by_role("radio", name=re.compile(stamp)).check()
    await page.get_by_role("button", name="Continuer").click()
    pages.add(await page.title())
    if not await page.get_by_label("Pharmacie du Marché").count():
        await page.get_by_label("Chercher par ville").fill("Villefleur")
        await page.get_by_role("button", name="Chercher").click()
        pages.add(await page.title())
    await page.get_by_label("Pharmacie du Marché").check()
    await page.get_by_role("button", name="Continuer").click()
    pages.add(await page.title())
    await page.get_by_role("button", name=re.compile("Envoyer l.ordonnance")).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Ordonnance envoyée")
    pages.add(await page.title())
    assert len(pages) <= 4, pages
    received = parsed(demo.wait_for(demo.person("pharmacie"), "Ordonnance de Jacqueline Morel"))
    (document,) = received.iter_attachments()
    assert document.get_content() == files.pdf(f"Bisoprolol {stamp}")


@pytest.mark.timeout(120)
async def test_the_mother_reaches_her_child_in_one_click(demo: Demo, browser: Browser) -> None:
    stamp = str(time.time_ns())
    demo.send("medecin", demo.person("louise")["address"], f"Vaccin de Louise {stamp}", "Rappel en mai.")
    page = await (await browser.new_context(viewport={"width": 360, "height": 800})).new_page()
    await sign_in(page, demo, "sarah")
    assert await page.get_by_text(f"Vaccin de Louise {stamp}").count() == 0
    await page.get_by_role("button", name="Passer à Louise Lambert").click()
    await expect(page.get_by_text("Profil : Louise Lambert")).to_be_visible()
    await page.get_by_role("link", name=f"Vaccin de Louise {stamp}").first.click()
    await page.get_by_label("Votre message").fill("Merci, nous viendrons.")
    await page.get_by_role("button", name="Envoyer ma réponse").click()
    await expect(page.get_by_role("status")).to_have_text("Votre message est envoyé.")
    answer = parsed(demo.wait_for(demo.person("medecin"), f"Vaccin de Louise {stamp}"))
    assert answer["From"].addresses[0].addr_spec == demo.person("louise")["address"]
    assert "Sarah Lambert" in written(answer)
