"""The command line's library in French: words of its help, and what it says of a line that is wrong."""

from __future__ import annotations

import re

from foundation.wording import about_value, said

HEADINGS = {"Commands": "Commandes"}
VALUES = {"NAME": "NOM"}  # of options

ARGUMENTS = {  # what an argument is called in the code -> what the help calls it
    "address": "adresse",
    "addresses": "adresses",
    "email": "courriel",
    "entries": "table",
    "file": "fichier",
    "files": "fichiers",
    "folder": "dossier",
    "kind": "profil",
    "login": "identifiant",
    "name": "nom",
    "number": "numéro",
    "numbers": "numéros",
    "size": "taille",
    "switch": "on|off",
    "to": "cible",
    "which": "mois",
    "words": "mots",
}

_CELLS = (  # in the two columns of the help
    (r"\[default: ", "[défaut\N{NO-BREAK SPACE}: "),
    (r"(; |\[)required\]", lambda found: ("[" if found[1] == "[" else "\N{NO-BREAK SPACE}; ") + "obligatoire]"),
    (r"; (?=\S*x[<>])", "\N{NO-BREAK SPACE}; "),
    (r"Show this message and exit\.", "Affiche cette aide."),
    (r"<int( range)?>", "<entier>"),
    (r"<str>", "<texte>"),
    (r"<path>", "<chemin>"),
    (r"<dir>", "<dossier>"),
    (r"<file>", "<fichier>"),
    (r"<%Y-%m-%d>", "<AAAA-MM-JJ>"),
    (r"<list\[\w+\]>", "<liste>"),
)

_FAULTS = (
    (r"Try '(.+)' for help\.", "« {0} » donne l’aide."),
    (r"No such option: (.+?)(?: \(Possible options: (.+)\))?", "option inconnue : {0}{proposed}"),
    (r"No such command '(.+?)'\.(?: Did you mean (?:one of: )?(.+)\?)?", "commande inconnue : {0}{proposed}"),
    (r"Missing command\.", "il manque une commande"),
    (r"Missing argument '(.+)'\. Choose from:", "il manque : {0}, l’une de ces valeurs :"),
    (r"Missing argument '(.+)'\.", "il manque : {0}"),
    (r"Missing option '(.+)'\.", "il manque l’option {0}"),
    (r"Missing \w+\.", "il manque une valeur"),
    (r"Option '(.+)' requires an argument\.", "l’option {0} demande une valeur"),
    (r"Option '(.+)' does not take a value\.", "l’option {0} ne prend pas de valeur"),
    (r"Argument '(.+)' takes (\d+) values\.", "{0} : {1} valeurs sont attendues"),
    (r"Got unexpected extra argument\(s\) \((.+)\)", "en trop : {0}"),
    (r"Could not open file '(.+)': .*", "{0} : ne peut pas être ouvert"),
)
_PATHS = (
    (r"(?:path|file|dir) '(.+)' does not exist\.", "{0} n’existe pas"),
    (r"(?:path|file|dir) '(.+)' is a file\.", "{0} est un fichier"),
    (r"(?:path|file|dir) '(.+)' is a directory\.", "{0} est un dossier"),
    (r"(?:path|file|dir) '(.+)' is not readable\.", "{0} ne peut pas être lu"),
    (r"(?:path|file|dir) '(.+)' is not writable\.", "{0} ne peut pas être écrit"),
)
_INVALID = re.compile(r"Invalid value(?: for (.+?))?: (.+)")


def usage(metavar: str) -> str:
    return metavar.replace("COMMAND", "COMMANDE").replace("[ARGS]...", "[ARGUMENTS]…")


def cell(text: str) -> str:
    for english, french in _CELLS:
        text = re.sub(english, french, text)
    return text


def fault(line: str) -> str:
    """One line of a usage error; what is not known here stays as it was."""
    if not line.startswith("Error: "):
        return _first(line, _FAULTS) or line
    words = line.removeprefix("Error: ")
    if invalid := _INVALID.fullmatch(words):
        why = invalid[2].removeprefix("Value error, ")
        where = (invalid[1] or "valeur").replace("'", "")
        return f"Erreur : {where} : {_first(why, _PATHS) or said(about_value(why), 'fr')}"
    return f"Erreur : {_first(words, _FAULTS) or words}"


def _first(words: str, table: tuple[tuple[str, str], ...]) -> str | None:
    for english, french in table:
        if found := re.fullmatch(english, words):
            parts = [part or "" for part in found.groups()]
            proposed = (
                " (peut-être : {})".format(parts[1].replace("'", "")) if "{proposed}" in french and parts[1] else ""
            )
            return french.format(*parts, proposed=proposed)
    return None
