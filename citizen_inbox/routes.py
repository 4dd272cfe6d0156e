"""All addresses of the citizen's pages, in one table. No name, number of a person or search word ever stands in an address."""

from __future__ import annotations

from citizen_inbox import attachment, compose, conversation, formatted, home, inbox, prescription
from foundation.web.kit import Page

FORM = "GET POST"
FILES = 20_000_000  # octets read of a form with files; the limit told to the reader is lower (InboxSettings.max_files)

TABLE = (
    Page("/accueil", home.show),
    Page("/messagerie", inbox.show),
    Page("/messagerie/recherche", inbox.search, "POST"),
    Page("/messagerie/nouveau", compose.page, FORM, FILES, gives_back=True),
    Page("/messagerie/{conversation}", conversation.page, FORM, FILES, gives_back=True),
    Page("/messagerie/{conversation}/{message}/mise-en-forme", formatted.show),
    Page("/messagerie/{conversation}/{message}/mise-en-forme/contenu", formatted.frame),
    Page("/messagerie/{conversation}/{message}/texte", formatted.whole_text),
    Page("/messagerie/{conversation}/{message}/pieces/{section}", attachment.show),
    Page("/messagerie/{conversation}/{message}/pieces/{section}/pages/{page}", attachment.image),
    Page("/messagerie/{conversation}/{message}/pieces/{section}/telecharger", attachment.download),
    Page("/ordonnance", prescription.choose_document, FORM),
    Page("/ordonnance/{document}/pharmacie", prescription.choose_pharmacy, FORM),
    Page("/ordonnance/{document}/verifier", prescription.check_and_send, FORM, gives_back=True),
    Page("/ordonnance/suivi/{envoi}", prescription.follow),
)
