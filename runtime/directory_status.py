"""What `mssante directory status` says."""

from __future__ import annotations

from typing import Any

from mssante.directory import EXTRACT, FHIR, OWN
from runtime.annuaire_jobs import FOLLOW, PUBLISH, Standing, entries, last_file, standing
from runtime.command import Desk, moment

_SOURCES = {
    EXTRACT: "d’une extraction // of an extraction",
    FHIR: "du serveur de l’Annuaire Santé // of the Annuaire Santé’s server",
    OWN: "de nos propres boîtes // of our own mailboxes",
}
_JOBS = {
    FOLLOW: "Suivi de l’Annuaire Santé // The Annuaire Santé followed",
    PUBLISH: "Publication de nos boîtes // Our mailboxes published",
}


def facts_of(at: Desk) -> dict[str, Any]:
    """Of each job: None when it is not asked for by the settings."""
    wanted, file = at.house.settings.annuaire, at.read(last_file)
    on = {FOLLOW: wanted.sync_minutes, PUBLISH: wanted.publish_hours}
    return {
        "entries": at.read(entries),
        "file": None if file is None else {"at": moment(file[0]), "lines": file[1], "finished": file[2]},
    } | {kind: _facts(at.read(standing, at.house, kind)) if wanted.url and on[kind] else None for kind in on}


def _facts(found: Standing) -> dict[str, Any]:
    past = found.past
    return {
        "done_at": moment(past.done_at) if past.done_at else None,
        "failed_at": moment(past.failed_at) if past.failed_at else None,
        "why": past.why,
        "next_at": moment(found.next_at) if found.next_at else None,
        "stale": found.stale,
    }


def sentences(at: Desk, facts: dict[str, Any]) -> list[str]:
    colon = " : " if at.lang == "fr" else ": "
    lines = [f"{at.said(_SOURCES[source])}{colon}{count}" for source, count in sorted(facts["entries"].items())]
    lines = lines or [at.said("L’annuaire est vide. // The directory is empty.")]
    if facts["file"] is not None:
        ended = (
            "Dernière extraction : {at}, {lines} lignes // Last extraction: {at}, {lines} lines"
            if facts["file"]["finished"]
            else "Dernière extraction : commencée {at}, interrompue après {lines} lignes // "
            "Last extraction: begun {at}, interrupted after {lines} lines"
        )
        lines.append(at.said(ended, facts["file"]))
    for kind, name in _JOBS.items():
        lines.append(f"{at.said(name)}{colon}{_said(at, facts[kind])}")
    return lines


def _said(at: Desk, found: dict[str, Any] | None) -> str:
    if found is None:
        return at.said("sur commande seulement // by command only")
    parts = [
        at.said("dernière fois {done_at} // last time {done_at}", found)
        if found["done_at"]
        else at.said("jamais encore // not yet")
    ]
    if found["why"]:
        parts.append(at.said("échec {failed_at} ({why}) // failed {failed_at} ({why})", found))
    if found["next_at"]:
        parts.append(at.said("prochaine {next_at} // next {next_at}", found))
    if found["stale"]:
        parts.append(at.said("TROP VIEUX // TOO OLD"))
    return ", ".join(parts)
