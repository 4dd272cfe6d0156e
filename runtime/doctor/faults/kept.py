"""Faults of what is kept: keys and secrets, database, backup, disk, retention, jobs and the queue."""

from __future__ import annotations

from runtime.doctor.finding import NO_START, Fault

KEY = "clé maîtresse // master key"
SECRETS = "secrets // secrets"

KEY_MISSING = Fault(
    KEY,
    "{path} manque // {path} is missing",
    "rien de ce qui est gardé ne peut être lu, et le serveur ne démarre pas // "
    "nothing stored can be read, and the server does not start",
    "remettez-la de sa copie, mode 0600 ; pour un serveur qui n’a encore rien gardé : mssante init // "
    "restore it from its copy, mode 0600; for a server that has stored nothing yet: mssante init",
)
KEY_SIZE = Fault(
    KEY,
    "{path} doit avoir {octets} octets // {path} must hold {octets} bytes",
    "ce n’est pas la clé : rien de ce qui est gardé ne peut être lu // this is not the key: nothing stored can be read",
    "remettez la clé de sa copie : cp COPIE {path} // restore the key from its copy: cp COPY {path}",
)
KEY_OPEN = Fault(
    KEY,
    "{path} peut être lu par d’autres comptes // {path} can be read by other users",
    "qui a un compte sur cette machine peut lire tout le courrier // "
    "whoever has an account on this machine can read all mail",
    "chmod 600 {path} // chmod 600 {path}",
)
SECRET_OPEN = Fault(
    SECRETS,
    "{path} peut être lu par d’autres comptes // {path} can be read by other users",
    "qui a un compte sur cette machine peut s’en servir, ou voir qui écrit à qui // "
    "whoever has an account on this machine can use it, or see who writes to whom",
    "chmod 600 {path} // chmod 600 {path}",
)
FOLDER_OPEN = Fault(
    SECRETS,
    "{path} est ouvert à d’autres comptes // {path} is open to other users",
    "les messages y sont chiffrés, les avis aux usagers ne le sont pas // "
    "messages in it are encrypted, notices to citizens are not",
    "chmod 700 {path} // chmod 700 {path}",
    fatal=False,
)
ANNUAIRE_KEY = Fault(
    SECRETS,
    "{path} : {why} // {path}: {why}",
    "l’annuaire ne peut plus être suivi, et le serveur ne démarre pas // "
    "the directory can no longer be followed, and the server does not start",
    "mettez-y la clé reçue pour l’Annuaire Santé (annuaire.key), ou videz annuaire.url // "
    "put the key given for the Annuaire Santé there (annuaire.key), or empty annuaire.url",
)

# -------------------------------------------------------------------- the store
DATABASE = "base de données // database"

DATABASE_MISSING = Fault(
    DATABASE,
    "{url} n’existe pas // {url} does not exist",
    NO_START,
    "serveur neuf : mssante init ; sinon remettez la base de sa sauvegarde : mssante restore DOSSIER // "
    "a new server: mssante init; else restore the database from its backup: mssante restore FOLDER",
)
DATABASE_CLOSED = Fault(
    DATABASE,
    "{url} ne s’ouvre pas ({why}) // {url} cannot be opened ({why})",
    NO_START,
    "vérifiez storage.database ; PostgreSQL : systemctl status postgresql, puis psql avec ce compte // "
    "look at storage.database; PostgreSQL: systemctl status postgresql, then psql as this user",
)
DATABASE_UNREADABLE = Fault(
    DATABASE,
    "{url} ne peut pas être lue ({why}) // {url} cannot be read ({why})",
    NO_START,
    "PostgreSQL : systemctl status postgresql ; SQLite : la place et les droits du dossier ; base neuve : mssante init // "
    ""
    "PostgreSQL: systemctl status postgresql; SQLite: space and rights of its folder; if it is new: run mssante init",
)
DATABASE_EMPTY = Fault(
    DATABASE,
    "elle est vide // it is empty",
    NO_START,
    "serveur neuf : mssante init ; sinon : mssante restore DOSSIER // "
    "a new server: run mssante init; else: mssante restore FOLDER",
)
DATABASE_NEWER = Fault(
    DATABASE,
    "son schéma ({version}) est d’une version plus récente // its schema ({version}) is of a newer version",
    NO_START,
    "mettez le logiciel à jour (git pull && make install), ou revenez à la sauvegarde d’avant : mssante restore DOSSIER // "
    ""
    "update the software (git pull && make install), or go back to the backup of before: mssante restore FOLDER",
)
DATABASE_OLDER = Fault(
    DATABASE,
    "son schéma ({version}) sera mis à jour ({newest}) au démarrage // "
    "its schema ({version}) will be migrated (to {newest}) at the start",
    "le premier démarrage peut durer ; l’ancien logiciel ne pourra plus l’ouvrir // "
    "the first start may take long; the old software can open it no more",
    "faites d’abord une sauvegarde : mssante backup DOSSIER ; puis systemctl restart mssante // "
    "make a backup first: mssante backup FOLDER; then systemctl restart mssante",
    fatal=False,
)
BACKUP = Fault(
    "sauvegarde // backup",
    "{age} // {age}",
    "si le disque se perd, le courrier reçu depuis est perdu // if the disk is lost, so is the mail received since",
    "mssante backup DOSSIER ; chaque nuit : systemctl enable --now mssante-backup.timer // "
    "mssante backup FOLDER; every night: systemctl enable --now mssante-backup.timer",
    fatal=False,
)
DISK_UNWRITABLE = Fault(
    "disque // disk",
    "ce compte ne peut pas écrire dans {path} // {path} cannot be written by this user",
    "aucun message ne peut être gardé : tout est différé (451) // "
    "no message can be stored: everything is put off (451)",
    "chown -R mssante: {path}, ou lancez la commande avec le compte du serveur // "
    "chown -R mssante: {path}, or run the command as the server's user",
)
DISK_LOW = Fault(
    "disque // disk",
    "{megabytes} Mo libres sous {path} // {megabytes} MB free below {path}",
    "plein, il ne garde plus aucun message : tout est différé (451), rien n’est perdu // "
    "when it is full no message is stored: everything is put off (451), nothing is lost",
    "faites de la place : anciennes sauvegardes, journaux (journalctl --vacuum-size=500M), ou agrandissez le disque // "
    ""
    "make room: old backups, logs (journalctl --vacuum-size=500M), or enlarge the disk",
    fatal=False,
)
DIRECTORY_STALE = Fault(
    "annuaire // directory",
    "suivi pour la dernière fois il y a {days} jours // last followed {days} days ago",
    "des adresses nouvelles manquent, d’anciennes restent ; le courrier passe // "
    "new addresses are missing, old ones stay; mail passes",
    "mssante directory status dit pourquoi ; mssante directory sync essaie maintenant // "
    "mssante directory status says why; mssante directory sync tries now",
    fatal=False,
)
RETENTION_LOWERED = Fault(
    "conservation // retention",
    "limits.trace_days passe de {before} à {after} : {count} traces de messages seront effacées le {day} // "
    "limits.trace_days goes from {before} to {after}: {count} traces of messages will be erased on {day}",
    "on ne pourra plus dire ce que ces messages sont devenus ; aucun message n’est effacé // "
    "nobody will be able to say what became of these messages; no message is erased",
    "si ce n’est pas voulu, remettez limits.trace_days = {before}, puis systemctl restart mssante, avant ce jour // "
    "if it is not wanted, set limits.trace_days = {before} again, then systemctl restart mssante, before that day",
    fatal=False,
)
JOB_LATE = Fault(
    "travaux périodiques // recurring jobs",
    "« {kind} » attend depuis plus d’une heure // « {kind} » waits for more than an hour",
    "ce travail ne se fait plus : ménage, listes de révocation ou de confiance vieillissent // "
    "this work is no longer done: sweeping, or revocation and trust lists that grow old",
    "un processus joue-t-il « jobs » (roles) ? puis systemctl restart mssante // "
    "does a process play « jobs » (roles)? then systemctl restart mssante",
    fatal=False,
)
QUEUE_WAITS = Fault(
    "file d’attente // queue",
    "{count} messages pour {domain} attendent depuis {hours} h ({reason}) // "
    "{count} messages for {domain} have waited for {hours} h ({reason})",
    "leurs expéditeurs ont été prévenus du retard ; après 72 heures ces messages leur reviennent // "
    "their senders were told of the delay; after 72 hours these messages go back to them",
    "mssante queue list --domain {domain}, joignez cet opérateur ; une fois réparé : mssante queue retry --domain {domain} // "
    ""
    "mssante queue list --domain {domain}, call that operator; once it is mended: mssante queue retry --domain {domain}",
    fatal=False,
)
JOBS_FAILED = Fault(
    "travaux abandonnés // jobs given up",
    "{count} de « {kind} » ({reason}) // {count} of « {kind} » ({reason})",
    "ce qu’ils devaient faire n’est pas fait : envoyer (relay), prévenir (notify), ranger au dossier (file) // "
    "what they had to do is not done: to send (relay), to tell a citizen (notify), to file in the dossier (file)",
    "mssante job list --state failed ; la cause ôtée : mssante job retry --kind {kind} --failed // "
    "mssante job list --state failed; once the cause is gone: mssante job retry --kind {kind} --failed",
    fatal=False,
)

# -------------------------------------------------------------------- the people who let somebody in again
OPERATORS = "opérateurs // operators"

OPERATORS_NONE = Fault(
    OPERATORS,
    "personne n’est enregistré // nobody is registered",
    "une récupération à deux ne distingue les opérateurs que par leur compte, que root choisit : un seul suffit // "
    "a recovery by two tells operators apart by their accounts only, which root chooses: one is enough",
    "mssante operator add NOM, pour chacun, le même jour // mssante operator add NAME, for each, on one day",
    fatal=False,
)
OPERATORS_FEW = Fault(
    OPERATORS,
    "il en faut deux pour une récupération : {names} // a recovery takes two of them: {names}",
    "qui perd sa seconde vérification ne peut pas être aidé // who loses their second factor cannot be helped",
    "mssante operator add NOM ; passé le premier jour, il compte trois jours après // "
    "mssante operator add NAME; after the first day they count three days later",
    fatal=False,
)
OPERATOR_NEW = Fault(
    OPERATORS,
    "{name} comptera à partir du {when}, présenté par {by} // {name} counts from {when} on, vouched for by {by}",
    "avec un autre, il pourra faire entrer quelqu’un : le saviez-vous ? // "
    "with another one they can let somebody in: did you know?",
    "sinon : mssante operator remove {name} // if not: mssante operator remove {name}",
    fatal=False,
)
OPERATOR_LEFT = Fault(
    OPERATORS,
    "{name} est retiré depuis peu // {name} was taken away lately",
    "il n’approuve plus rien : le saviez-vous ? // they approve nothing any more: did you know?",
    "sinon : mssante audit, ligne operator:remove, puis mssante operator add {name} // "
    "if not: mssante audit, row operator:remove, then mssante operator add {name}",
    fatal=False,
)
