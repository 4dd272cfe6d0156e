"""The command line: `mssante demo`, `serve`, `init`, `doctor`, `health`, `dns`, `queue`.

Imports stay inside the commands: `mssante --help` must not pay for the whole house. Exit codes: 0 done, 1 failed, 2 wrong usage or
settings.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from runtime.queue_cli import queue

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=__doc__.split("\n\n")[0],
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(queue, name="queue")

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Settings file (docs/settings.md).")]
DEFAULT_CONFIG = Path("mssante.toml")


@app.command()
def demo(
    data: Annotated[Path, typer.Option(help="Folder for everything the demo keeps.")] = Path("var"),
    port_base: Annotated[
        int, typer.Option(help="First port; about 200 above it are used.", min=1024, max=65_000)
    ] = 8000,
    operators: Annotated[int, typer.Option(help="How many operators of the trust space.", min=1, max=2)] = 2,
    workers: Annotated[int, typer.Option(help="Processes per operator.", min=1, max=16)] = 1,
    bench: Annotated[
        bool, typer.Option(help="One more SMTP door without TLS or sign-in, and 20 test mailboxes.")
    ] = False,
) -> None:
    """Show the whole product: people, certificates, trust list, database, servers. Ctrl-C stops; the data stay."""
    from runtime.demo.show import show

    raise typer.Exit(show(data.absolute(), port_base, operators, workers, bench))


@app.command()
def serve(
    config: ConfigOption = DEFAULT_CONFIG,
    workers: Annotated[int | None, typer.Option(help="Number of processes (default: the settings').", min=1)] = None,
    worker: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the server of one operator."""
    from runtime import start

    raise typer.Exit(start.serve(config, workers, worker))


@app.command()
def init(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Write a first settings file if there is none; create the master key and the database if they are missing."""
    from runtime import start

    raise typer.Exit(start.init(config))


@app.command()
def doctor(
    config: ConfigOption = DEFAULT_CONFIG,
    running: Annotated[bool, typer.Option("--running", help="The server runs: do not look at its ports.")] = False,
) -> None:
    """Check settings, certificates, trust list, clock, database, disk and ports; say every fault at once."""
    from runtime import start

    raise typer.Exit(start.doctor(config, ports=not running))


@app.command()
def health(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Ask the running server whether it is alive (for a container's health check)."""
    from runtime import start

    raise typer.Exit(start.health(config))


@app.command()
def dns(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print the DNS records by which mail clients find this server, as lines of a zone file."""
    from runtime import start

    raise typer.Exit(start.dns(config))


def main() -> None:
    sys.exit(app())


if __name__ == "__main__":
    main()
