"""Faults of this machine: clock, signing keys, notices, ports."""

from __future__ import annotations

from runtime.doctor.finding import Fault

CLOCK = "horloge // clock"
DKIM = "dkim"
DOORS = "portes // doors"

CLOCK_BEFORE_LIST = Fault(
    CLOCK,
    "elle retarde sur la date de la liste de confiance // it is before the date of the trust list",
    "certificats et listes seraient jugés à une fausse date : le serveur ne démarre pas // "
    "certificates and lists would be judged at a wrong date: the server does not start",
    "mettez-la à l’heure : chronyc makestep, ou timedatectl set-ntp true // "
    "set it: chronyc makestep, or timedatectl set-ntp true",
)
CLOCK_UNKEPT = Fault(
    CLOCK,
    "rien ne la tient à l’heure // nothing keeps it right",
    "elle dérivera : dates des messages, certificats et codes seront faux // "
    "it will drift: dates of messages, certificates and codes will be wrong",
    "démarrez un service NTP : apt-get install chrony // start an NTP service: apt-get install chrony",
    fatal=False,
)
CLOCK_OFF = Fault(
    CLOCK,
    "l’écart avec le temps juste peut atteindre {seconds} s // it may be up to {seconds} s off",
    "dates des messages inexactes ; au-delà d’une minute, codes et jetons refusés // "
    "wrong dates on messages; beyond a minute codes and tokens are refused",
    "chronyc tracking, puis chronyc sources : le service NTP joint-il ses serveurs ? // "
    "chronyc tracking, then chronyc sources: does the NTP service reach its servers?",
    fatal=False,
)
CLOCK_BEHIND = Fault(
    CLOCK,
    "elle est de {seconds} s avant les messages déjà jugés : elle retarde, ou elle a trop avancé // "
    "it is {seconds} s before messages that were judged already: it is slow now, or it was fast then",
    "/readyz répond 503 tant que rien ne la tient à l’heure : un répartiteur n’envoie plus rien ici // "
    "/readyz answers 503 while nothing keeps it right: a load balancer sends nothing here",
    "date -u, puis chronyc tracking ; mssante audit verify dit quand elle a été changée // "
    "date -u, then chronyc tracking; mssante audit verify says when it was set",
    fatal=False,
)
ARCHIVES_CLOSED = Fault(
    "pièces jointes // attachments",
    "RAR, 7z, CAB et ce qu’ils contiennent ne peuvent pas être ouverts // RAR, 7z, CAB and what they hold cannot be opened",
    "le courrier passe, et ce qui se cache dans ces archives aussi, si l’antivirus ne le voit pas // "
    "mail passes, and so does what hides in such archives, unless the antivirus sees it",
    "apt-get install libarchive13, puis systemctl restart mssante // apt-get install libarchive13, then systemctl restart mssante",
    fatal=False,
)
DKIM_UNREADABLE = Fault(
    DKIM,
    "{path} : {why} // {path}: {why}",
    "nos messages ne peuvent pas être signés, et le serveur ne démarre pas // "
    "our mail cannot be signed, and the server does not start",
    "remettez ce fichier de [dkim], ou retirez le réglage // put this file of [dkim] back, or remove the setting",
)
DKIM_OPEN = Fault(
    DKIM,
    "{path} peut être lu par d’autres comptes // {path} can be read by other users",
    "qui a un compte sur cette machine peut signer en notre nom // "
    "whoever has an account on this machine can sign in our name",
    "chmod 600 {path} // chmod 600 {path}",
)
DKIM_WRONG = Fault(
    DKIM,
    "{path} : pas une clé {kind} en PEM, sans mot de passe // {path}: not an unencrypted PEM key of the kind {kind}",
    "nos messages ne peuvent pas être signés, et le serveur ne démarre pas // "
    "our mail cannot be signed, and the server does not start",
    "remettez la clé, ou faites-en une sous un nouveau sélecteur (openssl genpkey), publiée d’abord : mssante dns // "
    "put the key back, or make one under a new selector (openssl genpkey), published first: mssante dns",
)
DKIM_WEAK = Fault(
    DKIM,
    "{path} : {bits} bits, il en faut 2 048 // {path}: {bits} bits, 2,048 are asked for",
    "d’autres opérateurs tiennent nos signatures pour nulles // other operators hold our signatures for nothing",
    "openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048, sous un nouveau dkim.rsa_selector ; puis mssante dns // "
    ""
    "openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048, under a new dkim.rsa_selector; then mssante dns",
    fatal=False,
)
DKIM_ZONE = Fault(
    DKIM,
    "{path} : pas un fichier de zone ({why}) // {path}: not a zone file ({why})",
    "les signatures de ces opérateurs ne peuvent pas être vérifiées, et le serveur ne démarre pas // "
    "signatures of these operators cannot be checked, and the server does not start",
    "corrigez cette ligne de dkim.records : ce sont celles que donne mssante dns chez eux // "
    "mend that line of dkim.records: they are those that mssante dns prints there",
)
DKIM_ALONE = Fault(
    DKIM,
    "sans clé RSA, certains opérateurs ne peuvent pas vérifier nos signatures // "
    "without an RSA key, some operators cannot check our signatures",
    "le courrier part et arrive ; chez eux il paraît sans signature // "
    "mail leaves and arrives; there it looks unsigned",
    "ajoutez dkim.rsa_key, et publiez son enregistrement d’abord : mssante dns // "
    "add dkim.rsa_key, and publish its record first: mssante dns",
    fatal=False,
)
OUTBOX_NONE = Fault(
    "avis // outbox",
    "ni dossier ni relais // neither a folder nor a relay",
    "les usagers ne seraient prévenus d’aucun message // citizens would not be told of new messages",
    "donnez outbox.relay (hôte:port d’un relais SMTP) ou outbox.folder // "
    "give outbox.relay (host:port of an SMTP relay) or outbox.folder",
)
DOOR_LOW = Fault(
    DOORS,
    "{name} : ce compte ne peut pas ouvrir {door} // {name}: this user may not open {door}",
    "rien si le serveur est démarré par systemd : son unité en donne le droit // "
    "nothing when systemd starts the server: the unit grants it",
    "systemctl start mssante ; à la main, choisissez un port au-dessus de 1023 // "
    "systemctl start mssante; by hand, choose a port above 1023",
    fatal=False,
)
DOOR_TAKEN = Fault(
    DOORS,
    "{name} : {door} : {why} // {name}: {door}: {why}",
    "le serveur ne démarre pas, ou tourne déjà // the server does not start, or runs already",
    "s’il tourne : mssante doctor --running ; sinon ss -ltnp dit qui tient ce port // "
    "if it runs: mssante doctor --running; else ss -ltnp says who holds this port",
)
DOOR_SILENT = Fault(
    DOORS,
    "{name} : {door} ne répond pas // {name}: {door} does not answer",
    "qui passe par cette porte n’est pas servi // whoever comes by this door is not served",
    "systemctl status mssante, journalctl -u mssante -n 50, puis systemctl restart mssante // "
    "systemctl status mssante, journalctl -u mssante -n 50, then systemctl restart mssante",
)
RELOAD_RESETS = Fault(
    "rechargement // reload",
    "le noyau n’est pas réglé pour passer d’un processus à l’autre les connexions qui attendent // "
    "the kernel is not set to pass waiting connections from one process to another",
    "à chaque rechargement, celles qui attendent à la porte du processus qui part sont coupées : ces logiciels recommencent // "
    "at each reload, those that wait at the door of the process that leaves are cut: these programs try again",
    "echo net.ipv4.tcp_migrate_req=1 > /etc/sysctl.d/60-mssante.conf && systemctl restart systemd-sysctl // "
    "echo net.ipv4.tcp_migrate_req=1 > /etc/sysctl.d/60-mssante.conf && systemctl restart systemd-sysctl",
    fatal=False,
)
HELP_NONE = Fault(
    "pages",
    "personne à appeler n’y est nommé // they name nobody to call",
    "qui a oublié son mot de passe, ou n’a plus son téléphone, lit « Appelez l’aide » sans savoir où // "
    "who forgot a password, or lost a telephone, reads « Appelez l’aide » and does not know where",
    '[web] help = "01 99 00 10 00, du lundi au vendredi", puis systemctl restart mssante // '
    '[web] help = "01 99 00 10 00, du lundi au vendredi", then systemctl restart mssante',
    fatal=False,
)
