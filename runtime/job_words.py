"""What jobs are called: kind -> what it owes, « français // English »."""

from __future__ import annotations

from health_space.accounts import password_mail
from mailserver.delivery import hold
from mailserver.outbound.queue import KIND as RELAY
from runtime import annuaire_jobs, revocation, trust_fetch

MESSAGES = {  # with commands of their own, which tell the sender: `mssante queue`
    RELAY: "envoyer à un autre opérateur // send to another operator",
    hold.KIND: "envoyer à l’heure choisie // send at the hour chosen",
}
RECURRING = {  # always there: what is called off would be missed
    "sweep": "ménage de la nuit // daily sweeping",
    "trace_index": "classer les traces // file traces",
    revocation.KIND: "listes de révocation // revocation lists",
    trust_fetch.KIND: "liste de confiance // trust list",
    annuaire_jobs.FOLLOW: "suivre l’Annuaire Santé // follow the Annuaire Santé",
    annuaire_jobs.PUBLISH: "publier nos boîtes // publish our mailboxes",
}
OWED = {
    "notify": "prévenir un citoyen // tell a citizen",
    "file": "ranger au dossier // file in the dossier",
    "bounce": "avis de non-remise // report of failure",
    "confirm": "confirmer une clôture // confirm a closing",
    "receipt": "accusé de lecture // receipt",
    "filling": "boîte qui se remplit // mailbox that fills",
    "account": "connexion modifiée // sign-in changed",
    password_mail.KIND: "dire un nouveau mot de passe // tell of a new password",
    "learn": "lire un avis reçu // read a report received",
}
KINDS = MESSAGES | RECURRING | OWED
STATES = {
    "waiting": "en attente // waiting",
    "running": "en cours // being done",
    "failed": "abandonné // given up",
}
