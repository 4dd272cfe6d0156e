"""Why something was refused: every reason of the trust space, in one table (what a reason is: `reason`).

Principle 4 of ARCHITECTURE.md: the SMTP reply, the web notice, the audit row and the bounce each translate the same reason.
"""

from __future__ import annotations

import re

from mssante.reason import Reason

# French typography: no-break space before : ; ! ? » and after «.
_NO_BREAK = re.compile(r"(?<=«) | (?=[»:;!?])")


def _reason(name: str, clause: str, code: int, enhanced: str, *, fr: str, en: str) -> Reason:
    return Reason(name, clause, code, enhanced, _NO_BREAK.sub("\u00a0", fr), en)


# fmt: off
# (a table: one reason a block)
# ------------------------------------------------------------------ section 1: entering the space
TLS_REQUIRED = _reason(
    "tls_required", "rules 1", 530, "5.7.0",
    fr="La liaison doit être chiffrée : commencez par STARTTLS.",
    en="The connection must be encrypted: start with STARTTLS.",
)
CERTIFICATE_MISSING = _reason(
    "certificate_missing", "rules 1", 550, "5.7.1",
    fr="Votre serveur n'a présenté aucun certificat d'opérateur.",
    en="Your server presented no operator certificate.",
)
CERTIFICATE_UNTRUSTED = _reason(
    "certificate_untrusted", "rules 1", 550, "5.7.1",
    fr="Le certificat de votre serveur ne remonte pas à une autorité reconnue dans l'espace de confiance ({dn}).",
    en="Your server's certificate does not chain to an authority recognised in the trust space ({dn}).",
)
CERTIFICATE_EXPIRED = _reason(
    "certificate_expired", "rules 1", 550, "5.7.1",
    fr="Le certificat de votre serveur a expiré ({dn}). Renouvelez-le, puis envoyez à nouveau.",
    en="Your server's certificate has expired ({dn}). Renew it, then send again.",
)
CERTIFICATE_NOT_YET_VALID = _reason(
    "certificate_not_yet_valid", "rules 1", 550, "5.7.1",
    fr="Le certificat de votre serveur n'est pas encore valable ({dn}). Vérifiez aussi son horloge.",
    en="Your server's certificate is not valid yet ({dn}). Check its clock too.",
)
CERTIFICATE_REVOKED = _reason(
    "certificate_revoked", "rules 1", 550, "5.7.1",
    fr="Le certificat de votre serveur a été révoqué ({dn}).",
    en="Your server's certificate has been revoked ({dn}).",
)
CERTIFICATE_WRONG_USAGE = _reason(
    "certificate_wrong_usage", "rules 1", 550, "5.7.1",
    fr="Le certificat de votre serveur n'est pas prévu pour cet usage ({dn}).",
    en="Your server's certificate is not meant for this usage ({dn}).",
)
REVOCATION_UNKNOWN = _reason(
    "revocation_unknown", "rules 1", 450, "4.7.1",
    fr="Nous ne pouvons pas vérifier en ce moment si le certificat de votre serveur est révoqué. Réessayez plus tard.",
    en="We cannot check at this moment whether your server's certificate is revoked. Try again later.",
)
CERTIFICATE_NOT_FOR_DOMAIN = _reason(
    "certificate_not_for_domain", "rules 1", 550, "5.7.1",
    fr="Le certificat présenté ({dn}) n'est pas inscrit pour le domaine {domain} dans la liste de confiance du {list_at}.",
    en="The certificate presented ({dn}) is not listed for the domain {domain} in the trust list of {list_at}.",
)
SENDER_DOMAIN_NOT_TRUSTED = _reason(
    "sender_domain_not_trusted", "rules 1", 550, "5.7.1",
    fr="Le domaine de l'expéditeur ({domain}) est hors de l'espace de confiance.",
    en="The sender's domain ({domain}) is outside the trust space.",
)
RECIPIENT_DOMAIN_NOT_TRUSTED = _reason(
    "recipient_domain_not_trusted", "rules 1", 550, "5.7.1",
    fr="Le domaine du destinataire ({domain}) est hors de l'espace de confiance : rien n'a été envoyé.",
    en="The recipient's domain ({domain}) is outside the trust space: nothing was sent.",
)
RELAY_DENIED = _reason(
    "relay_denied", "rules 1", 550, "5.7.1",
    fr="Cette adresse n'est pas gérée ici : adressez-vous directement à son opérateur.",
    en="This address is not served here: deliver directly to its operator.",
)
NULL_PATH_NOT_ALLOWED = _reason(
    "null_path_not_allowed", "rules 1", 550, "5.7.1",
    fr="Un avis sans expéditeur n'est accepté que d'un opérateur de l'espace de confiance.",
    en="A null return path is only accepted from an operator of the trust space.",
)
FROM_NOT_SENDER = _reason(
    "from_not_sender", "rules 1", 550, "5.7.1",
    fr="L'adresse affichée comme expéditeur (From) n'est pas celle de votre boîte aux lettres.",
    en="The address shown as sender (From) is not that of your mailbox.",
)
READER_DOES_NOT_SEND = _reason(
    "reader_does_not_send", "rules 2", 550, "5.7.1",
    fr="Vous consultez cette boîte aux lettres sans pouvoir y écrire : demandez ce droit à son responsable.",
    en="You may read this mailbox and not send from it: ask who holds it for that right.",
)
FROM_DOMAIN_NOT_SERVED = _reason(
    "from_domain_not_served", "rules 1", 550, "5.7.1",
    fr="Le domaine affiché comme expéditeur ({domain}) n'est pas servi par votre opérateur.",
    en="The domain shown as sender ({domain}) is not served by your operator.",
)
SIGN_IN_REQUIRED = _reason(
    "sign_in_required", "rules 1", 530, "5.7.0",
    fr="Identifiez-vous avant d'envoyer.",
    en="Sign in before sending.",
)
WRONG_PASSWORD = _reason(
    "wrong_password", "rules 1", 535, "5.7.8",
    fr="Identifiant ou mot de passe inexact.",
    en="Wrong login or password.",
)

# ------------------------------------------------------------------ section 2: mailboxes
SENDER_BOX_INACTIVE = _reason(
    "sender_box_inactive", "rules 2", 550, "5.7.1",
    fr="Votre boîte aux lettres est suspendue ou fermée : elle ne peut plus envoyer. Contactez votre opérateur.",
    en="Your mailbox is suspended or closed: it can no longer send. Contact your operator.",
)
SENDER_LOST_RIGHT = _reason(
    "sender_lost_right", "rules 2", 550, "5.7.1",
    fr="Qui a préparé ce message n'a plus le droit d'écrire depuis cette boîte aux lettres : il n'a pas été envoyé.",
    en="Whoever prepared this message may no longer send from this mailbox: it was not sent.",
)
SENDER_BOX_FULL = _reason(
    "sender_box_full", "rules 2", 552, "5.2.2",
    fr="Votre boîte aux lettres est pleine : faites de la place, puis envoyez à nouveau. Rien n'a été envoyé.",
    en="Your mailbox is full: make room, then send again. Nothing was sent.",
)
BOX_FULL = _reason(
    "box_full", "rules 2", 452, "4.2.2",
    fr="La boîte aux lettres du destinataire est pleine. Envoyez-lui ce message de nouveau plus tard.",
    en="The recipient's mailbox is full. Send them this message again later.",
)

# ------------------------------------------------------------------ section 3: who may write to whom
BAD_ADDRESS = _reason(
    "bad_address", "rules 3.1", 553, "5.1.3",
    fr="Cette adresse n'est pas correctement écrite.",
    en="This address is not well formed.",
)
INS_KEY_WRONG = _reason(
    "ins_key_wrong", "rules 3.3", 553, "5.1.3",
    fr="L'adresse de ce patient contient un matricule INS inexact (sa clé ne correspond pas) : vérifiez-le.",
    en="This patient's address holds a wrong INS number (its key does not match): check it.",
)
BOX_UNKNOWN = _reason(
    "box_unknown", "rules 3.1", 550, "5.1.1",
    fr="Cette boîte aux lettres n'existe pas. Vérifiez l'adresse dans l'Annuaire Santé.",
    en="This mailbox does not exist. Check the address in the health directory.",
)
BOX_CLOSED = _reason(
    "box_closed", "rules 3.1", 550, "5.2.1",
    fr="Cette boîte aux lettres est fermée (depuis : {closed_at}). Cherchez une autre adresse dans l'Annuaire Santé.",
    en="This mailbox is closed (since: {closed_at}). Look for another address in the health directory.",
)
BOX_SUSPENDED = _reason(
    "box_suspended", "rules 3.1", 450, "4.2.1",
    fr="Cette boîte aux lettres est suspendue pour le moment et ne reçoit pas. Envoyez-lui ce message de nouveau plus tard.",
    en="This mailbox is suspended for now and does not receive. Send it this message again later.",
)
CITIZEN_UNKNOWN = _reason(
    "citizen_unknown", "rules 3.1", 550, "5.1.1",
    fr="Aucun espace santé ne correspond à cette adresse de patient.",
    en="No health space matches this patient's address.",
)
CITIZEN_OPPOSED = _reason(
    "citizen_opposed", "rules 3.1", 550, "5.2.1",
    fr="Cette personne s'est opposée à la création de son espace santé : joignez-la autrement.",
    en="This person opposed the creation of their health space: reach them another way.",
)
CITIZEN_CLOSED = _reason(
    "citizen_closed", "rules 3.1", 550, "5.2.1",
    fr="Cette personne a fermé son espace santé : joignez-la autrement.",
    en="This person closed their health space: reach them another way.",
)
CITIZEN_TO_CITIZEN = _reason(
    "citizen_to_citizen", "rules 3.4", 550, "5.7.1",
    fr="La messagerie de santé sert à écrire aux professionnels : elle ne permet pas d'écrire à un autre usager.",
    en="Health messaging is for writing to professionals: it does not allow writing to another citizen.",
)
PHARMACY_NEEDS_PRESCRIPTION = _reason(
    "pharmacy_needs_prescription", "rules 3.5", 550, "5.7.1",
    fr="Pour écrire en premier à une pharmacie, envoyez-lui une ordonnance depuis vos documents.",
    en="To write first to a pharmacy, send it a prescription from your documents.",
)
EXCHANGE_CLOSED = _reason(
    "exchange_closed", "rules 3.7", 550, "5.7.1",
    fr="Cette conversation est close ({closed_by}, le {closed_at}). Le professionnel peut vous réécrire à tout moment.",
    en="This conversation is closed ({closed_by}, on {closed_at}). The professional may write to you again at any time.",
)
BLOCKED_BY_CITIZEN = _reason(
    "blocked_by_citizen", "rules 3.7", 550, "5.7.1",
    fr="Vous avez bloqué ce professionnel le {closed_at}. Débloquez-le pour lui écrire.",
    en="You blocked this professional on {closed_at}. Unblock them to write.",
)
NO_REPLY_MESSAGE = _reason(
    "no_reply_message", "rules 3.7", 550, "5.7.1",
    fr="L'expéditeur n'accepte pas de réponse à ce message.",
    en="The sender accepts no reply to this message.",
)
NO_REPLY_BOX = _reason(
    "no_reply_box", "rules 3.7", 550, "5.7.1",
    fr="Ce message vient d'un envoi automatique. Personne ne lit les réponses.",
    en="This message was sent automatically. Nobody reads the replies.",
)
REPLY_WINDOW_OVER = _reason(
    "reply_window_over", "rules 3.7", 550, "5.7.1",
    fr="La réponse était possible jusqu'au {until_at}. Le professionnel peut vous réécrire à tout moment.",
    en="A reply was possible until {until_at}. The professional may write to you again at any time.",
)
NEVER_WROTE = _reason(
    "never_wrote", "rules 3.8", 550, "5.7.1",
    fr="Vous pourrez écrire à ce professionnel quand il vous aura écrit une première fois.",
    en="You will be able to write to this professional once they have written to you.",
)
CAMPAIGN_NOT_AUTHORISED = _reason(
    "campaign_not_authorised", "rules 3.9", 550, "5.7.1",
    fr="Cette campagne de prévention n'est pas autorisée.",
    en="This prevention campaign is not authorised.",
)
NO_RULE = _reason(
    "no_rule", "rules 3", 550, "5.7.1",
    fr="Aucune règle de l'espace de confiance ne permet cet envoi.",
    en="No rule of the trust space allows this message.",
)

# ------------------------------------------------------------------ section 7: content and delivery
MESSAGE_TOO_LARGE = _reason(
    "message_too_large", "rules 7", 552, "5.3.4",
    fr="Ce message est trop volumineux : la limite est de {limit}.",
    en="This message is too large: the limit is {limit}.",
)
TOO_MANY_RECIPIENTS = _reason(
    "too_many_recipients", "rules 7", 452, "4.5.3",
    fr="Trop de destinataires pour un seul envoi : recommencez avec les suivants.",
    en="Too many recipients in one message: send again to the others.",
)
PEER_TOO_FAST = _reason(
    "peer_too_fast", "rules 7", 450, "4.7.1",
    fr="Votre serveur envoie trop de messages en peu de temps. Réessayez dans {minutes} min.",
    en="Your server sends too many messages in a short time. Try again in {minutes} min.",
)
ACCOUNT_TOO_FAST = _reason(
    "account_too_fast", "rules 7", 450, "4.7.1",
    fr="Vous écrivez à trop de destinataires en peu de temps. Recommencez avec celui-ci dans {minutes} min.",
    en="You write to too many recipients in a short time. Send again to this one in {minutes} min.",
)
PAIR_TOO_FAST = _reason(
    "pair_too_fast", "rules 7", 450, "4.7.1",
    fr="Vous, ou votre opérateur, écrivez trop souvent à ce destinataire en peu de temps. Réessayez dans {minutes} min.",
    en="You, or your operator, write to this recipient too often in a short time. Try again in {minutes} min.",
)
RECIPIENT_TOO_FAST = _reason(
    "recipient_too_fast", "rules 7", 450, "4.2.1",
    fr="Ce destinataire reçoit trop de messages en peu de temps. Réessayez dans {minutes} min.",
    en="This recipient gets too many messages in a short time. Try again in {minutes} min.",
)
MESSAGE_MALFORMED = _reason(
    "message_malformed", "rules 7", 550, "5.6.0",
    fr="Ce message ne peut pas être remis : son en-tête From ne porte pas d'adresse valable.",
    en="This message cannot be delivered: its From header bears no valid address.",
)
HEADER_TOO_LONG = _reason(
    "header_too_long", "rules 7", 550, "5.6.0",
    fr="Ce message ne peut pas être remis : son en-tête est trop long.",
    en="This message cannot be delivered: its header is too long.",
)
NO_ROUTE = _reason(
    "no_route", "rules 7", 450, "4.4.4",
    fr="Le serveur de l'opérateur de {domain} est introuvable pour le moment.",
    en="The server of the operator of {domain} cannot be found for now.",
)
PEER_UNREACHABLE = _reason(
    "peer_unreachable", "rules 7", 450, "4.4.1",
    fr="Le serveur de l'opérateur de {domain} ne répond pas pour le moment.",
    en="The server of the operator of {domain} does not answer for now.",
)
PEER_NOT_TRUSTED = _reason(
    "peer_not_trusted", "rules 7", 450, "4.7.5",
    fr="Le serveur de l'opérateur de {domain} n'a pas prouvé son identité : rien ne lui a été transmis.",
    en="The server of the operator of {domain} did not prove its identity: nothing was handed over.",
)
PEER_REFUSED = _reason(
    "peer_refused", "rules 7", 550, "5.0.0",
    fr="L'opérateur du destinataire a refusé ce message. Sa réponse : {reply}",
    en="The recipient's operator refused this message. Its answer: {reply}",
)
TOO_MANY_HELD = _reason(
    "too_many_held", "rules 7", 552, "5.7.16",
    fr="Trop de vos messages attendent déjà l'heure d'envoi que vous avez choisie. Envoyez celui-ci sans attendre, ou plus tard.",
    en="Too many of your messages already wait for the time that you chose. Send this one without waiting, or later.",
)
NOT_DELIVERED_IN_TIME = _reason(
    "not_delivered_in_time", "rules 7", 554, "5.4.7",
    fr="Le message n'a pas pu être remis avant le {deadline_at}, comme demandé. Joignez le destinataire autrement.",
    en="The message could not be delivered before {deadline_at}, as asked. Reach the recipient another way.",
)
VIRUS_FOUND = _reason(
    "virus_found", "rules 7", 554, "5.7.0",
    fr="Ce message contient un programme malveillant ({virus}) : il n'a été remis à personne. "
    "Faites vérifier l'ordinateur d'où il vient, puis envoyez le message sans cette pièce.",
    en="This message contains malware ({virus}): nobody received it. "
    "Have the computer it came from checked, then send the message without that part.",
)
ATTACHMENT_REFUSED = _reason(
    "attachment_refused", "rules 7", 550, "5.7.1",
    fr="Ce message contient une pièce jointe d'un type refusé ici ({type}) : il n'a pas été remis. "
    "Retirez-la ; un document se lit partout en PDF.",
    en="This message has an attachment of a type refused here ({type}): it was not delivered. "
    "Remove it; a document can be read anywhere as PDF.",
)
ANTIVIRUS_ABSENT = _reason(
    "antivirus_absent", "rules 7", 451, "4.7.0",
    fr="Notre antivirus ne répond pas : ce message n'est pas accepté pour l'instant. Envoyez-le de nouveau plus tard.",
    en="Our antivirus does not answer: this message is not accepted for now. Send it again later.",
)
# fmt: on

REASONS: dict[str, Reason] = {value.name: value for value in list(globals().values()) if isinstance(value, Reason)}
