"""The command line: the server's own verbs (`mssante serve`…), and the nouns that an operator acts on, a module each.

Imports stay inside the commands: `mssante --help` must not pay for the whole house. Exit codes: 0 done, 1 failed, 2 wrong usage or
settings. Help is « français // English » (`runtime.help_in`).
"""

from __future__ import annotations

import atexit
import gc
import sys
from pathlib import Path
from typing import Annotated

import typer

from runtime import backup_cli
from runtime.account_cli import account
from runtime.audit_cli import audit
from runtime.certificate_cli import certificate
from runtime.command import DEFAULT, AsJson, Config, Language
from runtime.directory_cli import directory
from runtime.domain_cli import domain
from runtime.help_in import Bilingual
from runtime.job_cli import job
from runtime.mailbox_cli import mailbox
from runtime.message_cli import message
from runtime.operator_cli import operator
from runtime.queue_cli import queue
from runtime.stats_cli import stats
from runtime.trust_cli import trust_list

app = typer.Typer(
    cls=Bilingual,
    add_completion=False,
    no_args_is_help=True,
    help="Messagerie sécurisée de santé : le serveur et ses outils. // Secure health mail: the server and its tools.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(account, name="account")
app.add_typer(audit, name="audit")
app.add_typer(certificate, name="certificate")
app.add_typer(mailbox, name="mailbox")
app.add_typer(directory, name="directory")
app.add_typer(domain, name="domain")
app.add_typer(job, name="job")
app.add_typer(message, name="message")
app.add_typer(operator, name="operator")
app.add_typer(queue, name="queue")
app.add_typer(stats, name="stats")
app.add_typer(trust_list, name="trust-list")


@app.command()
def demo(
    data: Annotated[
        Path,
        typer.Option(help="Dossier de tout ce que la démonstration garde. // Folder for everything the demo keeps."),
    ] = Path("var"),
    port_base: Annotated[
        int,
        typer.Option(
            help="Premier port ; environ 200 au-dessus servent. // First port; about 200 above it are used.",
            min=1024,
            max=65_000,
        ),
    ] = 8000,
    operators: Annotated[
        int, typer.Option(help="Combien d’opérateurs de l’espace de confiance. // How many operators.", min=1, max=2)
    ] = 2,
    workers: Annotated[
        int, typer.Option(help="Processus par opérateur. // Processes per operator.", min=1, max=16)
    ] = 1,
    bench: Annotated[
        bool,
        typer.Option(
            help="Une porte SMTP de plus, sans TLS ni identification, et 20 boîtes d’essai. "
            "// One more SMTP door without TLS or sign-in, and 20 test mailboxes."
        ),
    ] = False,
) -> None:
    """Montrer tout le produit : personnes, certificats, liste de confiance, serveurs. Ctrl-C arrête ; les données restent.

    // Show the whole product: people, certificates, trust list, database, servers. Ctrl-C stops; the data stay.
    """
    from runtime.demo.show import show

    raise typer.Exit(show(data.absolute(), port_base, operators, workers, bench))


@app.command()
def serve(
    config: Config = DEFAULT,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Nombre de processus (sinon, celui des réglages). // Number of processes (default: the settings').",
            min=1,
        ),
    ] = None,
    worker: Annotated[int | None, typer.Option(hidden=True)] = None,
    lang: Language = "fr",
) -> None:
    """Faire tourner le serveur d’un opérateur.

    // Run the server of one operator.
    """
    from runtime import start

    raise typer.Exit(start.serve(config, workers, worker, lang))


@app.command()
def init(config: Config = DEFAULT, lang: Language = "fr") -> None:
    """Écrire un premier fichier de réglages s’il manque ; créer la clé maîtresse et la base si elles manquent.

    // Write a first settings file if there is none; create the master key and the database if they are missing.
    """
    from runtime import start

    raise typer.Exit(start.init(config, lang))


@app.command()
def doctor(
    config: Config = DEFAULT,
    running: Annotated[
        bool,
        typer.Option(
            "--running",
            help="Le serveur tourne : ses portes doivent répondre. // The server runs: its doors must answer.",
        ),
    ] = False,
    lang: Language = "fr",
    as_json: AsJson = False,
) -> None:
    """Vérifier réglages, certificats, liste de confiance, horloge, base, sauvegarde, disque, portes, antivirus et DNS ; dire
    toutes les fautes ensemble.

    // Check settings, certificates, trust list, clock, database, backup, disk, doors, antivirus and DNS; say every fault at once.
    """
    from runtime import start

    raise typer.Exit(start.doctor(config, running, lang, as_json))


@app.command()
def health(config: Config = DEFAULT, lang: Language = "fr") -> None:
    """Demander au serveur s’il est vivant (pour la surveillance d’un conteneur).

    // Ask the running server whether it is alive (for a container's health check).
    """
    from runtime import start

    raise typer.Exit(start.health(config, lang))


@app.command()
def dns(config: Config = DEFAULT, lang: Language = "fr") -> None:
    """Donner les enregistrements DNS par lesquels opérateurs et logiciels de messagerie trouvent ce serveur.

    // Print the DNS records by which other operators and mail clients find this server, as lines of a zone file.
    """
    from runtime import start

    raise typer.Exit(start.dns(config, lang))


app.command()(backup_cli.backup)
app.command()(backup_cli.restore)


def main() -> None:
    atexit.register(gc.freeze)  # the end looks through nothing for garbage: a quarter of what a short command costs
    sys.exit(app())


if __name__ == "__main__":
    main()
