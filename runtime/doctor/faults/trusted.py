"""Faults of whom others believe, and whom we do: certificates, anchors, revocation lists, the trust list."""

from __future__ import annotations

from runtime.doctor.finding import NO_START, Fault

CERTIFICATE = "certificat // certificate"

CERTIFICATE_MISSING = Fault(
    CERTIFICATE,
    "{path} : {why} // {path}: {why}",
    NO_START,
    "mettez-y le certificat de l’opérateur (tls.certificate) et sa clé (tls.key), puis mssante certificate check // "
    "put the operator's certificate (tls.certificate) and its key (tls.key) there, then mssante certificate check",
)
CERTIFICATE_UNREADABLE = Fault(
    CERTIFICATE,
    "{path} : pas un certificat PEM // {path}: not a PEM certificate",
    NO_START,
    "remettez le fichier reçu de l’autorité, suivi de ses intermédiaires, puis mssante certificate check // "
    "put back the file that the authority gave, then its intermediates, then mssante certificate check",
)
CERTIFICATE_KEY_UNREADABLE = Fault(
    CERTIFICATE,
    "{path} : pas une clé PEM sans mot de passe // {path}: not an unencrypted PEM key",
    NO_START,
    "remettez la clé ; une clé à mot de passe se déchiffre par : openssl pkey -in CLÉ -out {path} // "
    "put the key back; one with a password is decrypted by: openssl pkey -in KEY -out {path}",
)
CERTIFICATE_KEY_OPEN = Fault(
    CERTIFICATE,
    "{path} peut être lu par d’autres comptes // {path} can be read by other users",
    "qui a un compte sur cette machine peut se faire passer pour nous // "
    "whoever has an account on this machine can pass for us",
    "chmod 600 {path} ; si un autre a pu la lire, faites révoquer le certificat // "
    "chmod 600 {path}; if somebody may have read it, have the certificate revoked",
)
CERTIFICATE_OTHER_KEY = Fault(
    CERTIFICATE,
    "{path} n’est pas la clé de {certificate} // {path} is not the key of {certificate}",
    NO_START,
    "remettez les deux fichiers du même renouvellement : "
    "mssante certificate check --certificate C --key K dit lesquels vont ensemble // "
    ""
    "put both files of one renewal in place: mssante certificate check --certificate C --key K says which go together",
)
CERTIFICATE_REFUSED = Fault(
    CERTIFICATE,
    "les autres opérateurs le refuseront quand nous {acts} : {why} // "
    "other operators will refuse it when we {acts}: {why}",
    "aucun message n’est échangé avec les autres opérateurs // no message is exchanged with other operators",
    "mssante certificate show et certificate check ; renouvelez-le, ou remettez tls/anchors.pem et tls/crl.pem à jour "
    "(mssante certificate fetch) // "
    "mssante certificate show and certificate check; renew it, or bring tls/anchors.pem and tls/crl.pem up to date "
    "(mssante certificate fetch)",
)
CERTIFICATE_OVER = Fault(
    CERTIFICATE,
    "{whose} ({subject}) est périmé // {whose} ({subject}) has expired",
    "qui s’y fie est refusé, ou nous refuse : pages qui ne s’ouvrent plus, courrier différé // "
    "whoever relies on it is refused, or refuses us: pages that no longer open, mail put off",
    "remplacez {path} ; mssante certificate list montre tous les autres // "
    "replace {path}; mssante certificate list shows all others",
)
CERTIFICATE_ENDS = Fault(
    CERTIFICATE,
    "{whose} ({subject}) se termine dans moins de {days} jours // {whose} ({subject}) ends within {days} days",
    "rien encore ; après, plus aucun échange avec qui s’y fie // "
    "nothing yet; then no exchange with whoever relies on it",
    "demandez son renouvellement, puis remplacez {path} : sans redémarrage // "
    "ask for its renewal, then replace {path}: no restart",
    fatal=False,
)

# -------------------------------------------------------------------- whom we believe
ANCHORS = "autorités // anchors"
LISTS = "listes de révocation // revocation lists"
TRUST = "liste de confiance // trust list"

ANCHORS_MISSING = Fault(
    ANCHORS,
    "{path} : {why} // {path}: {why}",
    NO_START,
    "mettez-y les certificats racines de l’espace de confiance (tls.anchors) // "
    "put the root certificates of the trust space there (tls.anchors)",
)
ANCHORS_UNREADABLE = Fault(
    ANCHORS,
    "{path} : pas de certificat PEM // {path}: no PEM certificate",
    NO_START,
    "remettez dans {path} les certificats racines de l’espace de confiance, en PEM // "
    "put the root certificates of the trust space back into {path}, in PEM",
)
LISTS_MISSING = Fault(
    LISTS,
    "{path} : {why} // {path}: {why}",
    NO_START,
    "mssante certificate fetch, ou mettez-y les listes des autorités en PEM // "
    "mssante certificate fetch, or put the authorities' lists there in PEM",
)
LISTS_UNREADABLE = Fault(
    LISTS,
    "{path} : pas des listes de révocation ({why}) // {path}: {why}",
    NO_START,
    "écartez ce fichier, puis mssante certificate fetch // move this file away, then mssante certificate fetch",
)
LISTS_ENDED = Fault(
    LISTS,
    "la liste de {issuer} a pris fin il y a {hours} heures // the list of {issuer} ended {hours} hours ago",
    "après {grace} heures, les opérateurs de cette autorité sont différés (450), et nous ne leur envoyons plus // "
    "after {grace} hours operators of this authority are put off (450), and we send them nothing more",
    "mssante certificate fetch // mssante certificate fetch",
)
LISTS_OF_PEERS = Fault(
    LISTS,
    "aucune de {issuer}, qui a émis le certificat d’un autre opérateur // "
    "none of {issuer}, which issued another operator's certificate",
    "les opérateurs de cette autorité sont différés (450) // operators of this authority are put off (450)",
    "mssante certificate fetch dit ce qui manque ; sinon tls.crl_urls, ou cette liste dans {path} // "
    "mssante certificate fetch says what fails; else tls.crl_urls, or that list in {path}",
    fatal=False,
)
TRUST_UNUSABLE = Fault(
    TRUST,
    "{why} // {why}",
    "nous ne savons plus qui croire : le serveur ne démarre pas (s’il tourne, il garde la dernière bonne liste) // "
    "we no longer know whom to believe: the server does not start (a running one keeps the last good list)",
    "mssante trust-list fetch, ou mssante trust-list fetch FICHIER avec une bonne liste // "
    "mssante trust-list fetch, or mssante trust-list fetch FILE with a good list",
)
TRUST_STALE = Fault(
    TRUST,
    "aucune bonne liste vue depuis {hours} heures // no good list was seen for {hours} hours",
    "la dernière reste en usage : les opérateurs arrivés depuis sont refusés, ceux qui sont partis encore crus // "
    "the last one stays in use: operators who came since are refused, those who left still believed",
    "mssante trust-list fetch (il dit pourquoi) ; sinon demandez la liste à l’agence : mssante trust-list fetch FICHIER // "
    ""
    "mssante trust-list fetch (it says why); else ask the agency for the list: mssante trust-list fetch FILE",
    fatal=False,
)
TRUST_SKIPPED = Fault(
    TRUST,
    "{count} lignes illisibles // {count} entries cannot be read",
    "leurs domaines sont fermés : leur courrier est refusé // their domains are closed: their mail is refused",
    "mssante trust-list verify {path}, et dites-le à l’agence // mssante trust-list verify {path}, and tell the agency",
    fatal=False,
)
TRUST_WITHOUT_US = Fault(
    TRUST,
    "notre domaine {domain} n’y est pas // our domain {domain} is not in it",
    "personne n’acceptera le courrier de ce domaine // nobody will accept mail of this domain",
    "faites-le inscrire par l’agence, ou retirez-le d’operator.domains ; mssante trust-list show --domain {domain} // "
    ""
    "have the agency list it, or take it from operator.domains; mssante trust-list show --domain {domain}",
    fatal=False,
)
TRUST_OTHER_CERTIFICATE = Fault(
    TRUST,
    "notre certificat n’est pas celui qui est inscrit pour {domain} // "
    "our certificate is not the one listed for {domain}",
    "les autres opérateurs refusent le courrier de ce domaine // other operators refuse mail of this domain",
    "faites inscrire le DN de mssante certificate show, ou remettez le certificat inscrit : "
    "mssante trust-list show --domain {domain} // "
    "have the DN of mssante certificate show listed, or put the listed certificate back: "
    "mssante trust-list show --domain {domain}",
    fatal=False,
)
