"""`mssante directory import`: the file read with its progress shown, and what is said of it afterwards."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from mssante.registers import importing
from mssante.registers.runs import Report
from runtime.command import Desk

_FAULTS = {
    "short": "champs manquants // fields missing",
    "address": "adresse invalide // invalid address",
    "kind": "type de boîte inconnu // unknown kind of mailbox",
    "identifier": "identifiant invalide // invalid identifier",
    "long": "ligne trop longue // line too long",
    "coding": "pas en UTF-8 // not UTF-8",
}


def run(at: Desk, file: Path) -> Report:
    house, size = at.house, 0
    with typer.progressbar(
        length=100, label=at.said("Import // Import"), file=sys.stderr, hidden=at.as_json or not sys.stderr.isatty()
    ) as bar:

        def progress(done: int, of: int) -> None:
            nonlocal size
            now = 100 * done // max(1, of)
            bar.update(now - size)
            size = now

        report = importing.run(house.db, house.keys, file, house.clock, progress)
    details = {"lines": report.lines, "faults": sum(report.faults.values()), "gone": report.gone}
    at.change(lambda tx: at.record(tx, "directory:import", details))
    return report


def facts_of(report: Report) -> dict[str, Any]:
    return {
        "lines": report.lines,
        "unchanged": report.unchanged,
        "kept_out": report.kept_out,
        "gone": report.gone,
        "faults": {fault.value: count for fault, count in report.faults.items()},
        "first_faults": [{"line": line, "fault": fault.value} for line, fault in report.first_faults],
    }


def sentences(at: Desk, report: Report, facts: dict[str, Any]) -> list[str]:
    lines = [at.said("{lines} lignes lues. // {lines} lines read.", facts)]
    if report.unchanged:
        lines.append(at.said("{unchanged} déjà connues. // {unchanged} known already.", facts))
    if report.kept_out:
        lines.append(
            at.said(
                "{kept_out} boîtes d’ici en liste rouge ou closes : laissées dehors. // "
                "{kept_out} mailboxes of ours on the red list or closed: left out.",
                facts,
            )
        )
    if report.gone:
        lines.append(
            at.said("{gone} entrées que l’extraction n’a plus : retirées. // {gone} no longer in it: removed.", facts)
        )
    if report.gone is None:
        lines.append(
            at.said(
                "Cette extraction a perdu plus d’une entrée sur dix : rien n’a été retiré, vérifiez le fichier. // "
                "This extraction lost more than one entry in ten: nothing was removed, check the file."
            )
        )
    for fault, count in facts["faults"].items():
        lines.append(
            f"{at.said(_FAULTS[fault])} : {count}" if at.lang == "fr" else f"{at.said(_FAULTS[fault])}: {count}"
        )
    lines += [
        at.said(
            "  ligne {line} : {why} // line {line}: {why}", {"line": one["line"], "why": at.said(_FAULTS[one["fault"]])}
        )
        for one in facts["first_faults"]
    ]
    return lines
