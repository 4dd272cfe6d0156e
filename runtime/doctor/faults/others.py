"""Faults of what others answer: the antivirus, the OpenID provider, DNS."""

from __future__ import annotations

from runtime.doctor.finding import Fault

ANTIVIRUS = "antivirus"
OPENID = "openid"
DNS = "DNS"

ANTIVIRUS_SILENT = Fault(
    ANTIVIRUS,
    "{address} ne répond pas // {address} does not answer",
    "le courrier est {fate} // mail is {fate}",
    "systemctl restart clamav-daemon, puis journalctl -u clamav-daemon (mémoire ? signatures ?) // "
    "systemctl restart clamav-daemon, then journalctl -u clamav-daemon (memory? signatures?)",
    fatal=False,
)
ANTIVIRUS_LIMIT = Fault(
    ANTIVIRUS,
    "{address} refuse {octets} octets, la taille d’un message // "
    "{address} refuses {octets} octets, the size of a message",
    "les grands messages sont différés sans fin, ou acceptés sans contrôle // "
    "large messages are put off for ever, or taken unseen",
    "StreamMaxLength {megabytes}M dans /etc/clamav/clamd.conf, puis systemctl restart clamav-daemon // "
    "StreamMaxLength {megabytes}M in /etc/clamav/clamd.conf, then systemctl restart clamav-daemon",
    fatal=False,
)
OPENID_OPEN = Fault(
    OPENID,
    "{path} peut être lu par d’autres comptes // {path} can be read by other users",
    "qui a un compte sur cette machine peut se dire nous auprès du fournisseur // "
    "whoever has an account on this machine can call themselves us at the provider",
    "chmod 600 {path} // chmod 600 {path}",
)
OPENID_UNREADABLE = Fault(
    OPENID,
    "{path} : illisible // {path}: cannot be read",
    "personne ne pourrait s’identifier par le fournisseur : le serveur ne démarre pas // "
    "nobody could sign in by the provider: the server does not start",
    "remettez ce fichier de [openid] (secret, ou racines en PEM), ou videz le réglage // "
    "put this file of [openid] back (a secret, or roots in PEM), or empty the setting",
)
OPENID_NO_WAY_BACK = Fault(
    OPENID,
    "code_client_id est là, web.origin n’y est pas // code_client_id is set, and web.origin is not",
    "« Se connecter avec Pro Santé Connect » n’est proposé à personne : nul ne saurait en revenir // "
    "signing in on the provider’s page is offered to nobody: they could not come back from it",
    'web.origin = "https://…", puis systemctl restart mssante ; ou videz openid.code_client_id // '
    'web.origin = "https://…", then systemctl restart mssante; or empty openid.code_client_id',
    fatal=False,
)
OPENID_ANY_LEVEL = Fault(
    OPENID,
    "acr est vide : les jetons sont acceptés quel que soit le niveau de connexion // "
    "acr is empty: tokens are taken however weakly their owner signed in",
    "un simple mot de passe volé ouvre des boîtes // a stolen password alone opens mailboxes",
    'openid.acr = ["eidas1"], puis systemctl restart mssante // '
    'openid.acr = ["eidas1"], then systemctl restart mssante',
    fatal=False,
)
OPENID_NO_CIBA = Fault(
    OPENID,
    "le fournisseur ne propose pas de confirmer sur un téléphone (CIBA) // the provider does not offer CIBA",
    "« Confirmer sur mon téléphone » échoue pour tous ; les autres moyens vont // "
    "confirming on a telephone fails for all; the other ways work",
    "faites ouvrir CIBA pour openid.ciba_client_id, ou videz ce réglage // "
    "have CIBA opened for openid.ciba_client_id, or empty that setting",
    fatal=False,
)
OPENID_SILENT = Fault(
    OPENID,
    "{issuer} ne répond pas comme un fournisseur OpenID // {issuer} does not answer as an OpenID provider does",
    "qui vient par un jeton entre encore pendant un jour (clés connues), puis plus personne ; les mots de passe vont // "
    ""
    "whoever comes by a token still gets in for a day (keys that are known), then nobody; passwords work",
    "curl {issuer}/.well-known/openid-configuration : réseau, ou panne chez eux ; rien à redémarrer // "
    "curl {issuer}/.well-known/openid-configuration: network, or an outage there; nothing to restart",
    fatal=False,
)
DNS_UNSET = Fault(
    DNS,
    "aucun serveur DNS n’est réglé ici // no DNS server is set here",
    "seuls les opérateurs de [routes] sont joints, et les signatures ne sont pas vérifiées // "
    "only operators of [routes] are reached, and signatures are not checked",
    "mettez un serveur dans /etc/resolv.conf, ou chaque domaine dans [routes] // "
    "put a server into /etc/resolv.conf, or each domain into [routes]",
    fatal=False,
)
DNS_SILENT = Fault(
    DNS,
    "aucun serveur DNS ne répond // no DNS server answers",
    "le courrier vers les opérateurs absents de [routes] attend // mail to operators that are not in [routes] waits",
    "resolvectl query DOMAINE, ou dig : réseau, ou /etc/resolv.conf // "
    "resolvectl query DOMAIN, or dig: network, or /etc/resolv.conf",
    fatal=False,
)
DNS_RECORD = Fault(
    DNS,
    "{record} : {found}, au lieu de ce que donne mssante dns // {record}: {found}, not what mssante dns prints",
    "selon le nom : du courrier va ailleurs (MX), des logiciels ne se règlent pas seuls (SRV, CNAME), "
    "nos signatures ne se vérifient pas (TXT) // "
    "by its name: mail goes elsewhere (MX), programs do not set themselves up (SRV, CNAME), our signatures cannot be checked (TXT)",
    "publiez la ligne de mssante dns dans la zone de ce nom // "
    "publish the line of mssante dns in the zone of that name",
    fatal=False,
)
