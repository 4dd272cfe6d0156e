"""The directory at the size of the country: `python -m benchmarks.directory [entries] [database URL]`.

Makes an extraction file (a million lines unless told otherwise), imports it, imports it again, then the next day's (one line in a
hundred changed, one in two hundred gone, as many new), then searches: by names, professions and towns of entries that are there, as
people type them: without accents, with beginnings of words, with typing errors. CPU is told of the process that writes, of the one
that reads the lines, and of PostgreSQL's own processes when they run here.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from foundation.clock import system_clock
from foundation.database import Database
from foundation.keys import KeyRing
from mssante import directory
from mssante.directory_search import Search
from mssante.directory_words import folded
from mssante.identity import luhn_key
from mssante.registers import importing
from runtime.schema import upgrade

HEADER = (
    "Type de BAL|Adresse BAL|Type Identifiant PP|Identifiant PP|Identification nationale PP|Type identifiant structure|"
    "Identification Structure|Service de rattachement|Civilité d'exercice|Nom d'exercice|Prénom d'exercice|"
    "Catégorie profession|Libellé de catégorie profession|Code Profession|Libellé Profession|Code savoir-faire|"
    "Libellé savoir-faire|Dématérialisation|Raison Sociale structure BAL|Enseigne commerciale structure BAL|"
    "L2COMPLEMENTLOCALISATION structure BAL|L3COMPLEMENTDISTRIBUTION structure BAL|L4NUMEROVOIE structure BAL|"
    "L4COMPLEMENTNUMEROVOIE structure BAL|NL4TYPEVOIE structure BAL|L4LIBELLEVOIE structure BAL|"
    "L5LIEUDITMENTION structure BAL|L6LIGNEACHEMINEMENT structure BAL|Code postal structure BAL|"
    "Département structure BAL|Pays structure BAL"
)
GIVEN = (
    "Camille Hélène José Zoé Léa Jean-Pierre Marie Anne-Sophie François Thierry Nadia Mohamed Inès Chloé Éric Benoît "
    "Gaëlle Loïc Maël Solène Noémie Cédric Jérôme Stéphane Agnès Élodie Frédéric Valérie Michèle Régis"
).split()
SYLLABLES = (
    "ba bel ber bou ca cha cor da de du fa fon ga gri ha jo la le ma mar mi mon na pe pi ra rou sa ti val ve".split()
)
ENDINGS = "ard aud eau er et ier in on ot oux et ac ez elle ère ée ès".split()
PROFESSIONS = (
    "Médecin Pharmacien Infirmier Chirurgien-Dentiste Sage-Femme Masseur-Kinésithérapeute Orthophoniste Pédicure-Podologue"
).split()
SPECIALITIES = (
    "Médecine générale|Cardiologie et maladies vasculaires|Pédiatrie|Gériatrie|Anesthésie-réanimation|".split("|")
)


SPOKEN = dict(zip(SPECIALITIES, "généraliste cardiologue pédiatre gériatre anesthésiste".split(), strict=False))


def names(rng: random.Random, syllables: int, count: int) -> list[str]:
    """Invented names, as unevenly spread as real ones."""
    return [
        "".join(rng.choice(SYLLABLES) for _ in range(syllables)).capitalize() + rng.choice(ENDINGS)
        for _ in range(count)
    ]


def write_file(path: Path, count: int, seed: int = 1) -> None:
    rng = random.Random(seed)
    families, towns = names(rng, 3, 200_000), names(rng, 2, 36_000)
    namesakes: Counter[str] = Counter()
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER + "\n")
        for number in range(count):
            family = families[int(len(families) * rng.random() ** 3)]
            given, town = rng.choice(GIVEN), towns[int(len(towns) * rng.random() ** 3)]
            postcode = f"{rng.randrange(1000, 98_000):05d}"
            structure = f"{number % 90_000 + 10_000_000:08d}"
            structure = "1" + structure + luhn_key(structure)
            profession, speciality = rng.choice(PROFESSIONS), rng.choice(SPECIALITIES)
            if number % 5:
                rpps = f"1{number:09d}"
                rpps = f"8{rpps}{luhn_key(rpps)}"
                local = f"{folded(given).replace(' ', '-')}.{folded(family)}"
                namesakes[local] += 1  # people of one name have their mailboxes in different domains
                address = f"{local}@medecin{namesakes[local]}.mssante.example"
                line = (
                    f"PER|{address}|8|{rpps[1:]}|{rpps}|1|{structure}||DR|{family.upper()}|{given.upper()}|C|Civil|10|{profession}|"
                    f"SM26|{speciality}|O|Cabinet de {town}||||12||RUE|DES LILAS||{postcode} {town.upper()}|{postcode}|Ain|FR"
                )
            else:
                line = (
                    f"ORG|secretariat@hopital{number}.mssante.example||||1|{structure}|{speciality or 'Accueil'}|||||||||||O|"
                    f"Hôpital de {town}||||12||RUE|DES LILAS||{postcode} {town.upper()}|{postcode}|Ain|FR"
                ).replace("|||||||||||O", "||||||||||O")
            file.write(line + "\n")


def mistyped(rng: random.Random, word: str) -> str:
    at = rng.randrange(1, len(word))
    how = rng.randrange(4)
    if how == 0:
        return word[:at] + word[at + 1 :]
    if how == 1:
        return word[:at] + rng.choice("aeirstn") + word[at + 1 :]
    if how == 2:
        return word[:at] + rng.choice("aeirstn") + word[at:]
    return word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]


def questions(rng: random.Random, path: Path, count: int) -> dict[str, list[tuple[Search, str]]]:
    """(what is asked, the address of who is meant) by the way of asking."""
    with path.open(encoding="utf-8") as file:
        lines = [line.split("|") for line in file.read(40_000_000).splitlines()[1:-1]]
    people = [line for line in rng.sample(lines, min(len(lines), 3 * count)) if line[0] == "PER"][:count]
    found: dict[str, list[tuple[Search, str]]] = {}

    def ask(way: str, make: Callable[[list[str]], Search]) -> None:
        found[way] = [(make(line), line[1]) for line in people]

    ask("family name", lambda p: Search(folded(p[9])))
    ask("the same, asked in the same département", lambda p: Search(folded(p[9]), near=p[28]))
    ask("beginning of a name", lambda p: Search(folded(p[9])[:4]))
    ask("two letters", lambda p: Search(folded(p[9])[:2]))
    ask("given and family name", lambda p: Search(f"{p[10]} {p[9]}"))
    ask("name, profession, town by field", lambda p: Search(name=p[9], profession=p[14][:5], town=p[27][6:]))
    ask("profession and town", lambda p: Search(f"{p[14]} {p[27][6:]}"))
    skilled = [line for line in people if line[16] in SPOKEN]
    found["speciality, as people say it, and town"] = [(Search(f"{SPOKEN[p[16]]} {p[27][6:]}"), p[1]) for p in skilled]
    ask("profession alone", lambda p: Search(p[14]))
    ask("mistyped family name", lambda p: Search(mistyped(rng, folded(p[9]))))
    ask("the same, asked nearby", lambda p: Search(mistyped(rng, folded(p[9])), near=p[28]))
    ask("beginning of a name, asked nearby", lambda p: Search(folded(p[9])[:4], near=p[28]))
    ask(
        "mistyped name and town",
        lambda p: Search(f"{p[10]} {mistyped(rng, folded(p[9]))} {mistyped(rng, folded(p[27][6:]))}"),
    )
    ask("nothing like it", lambda p: Search(f"zzq{p[9][::-1]} wxk"))
    return found


def next_day(path: Path, seed: int = 3) -> Path:
    rng, made = random.Random(seed), path.with_name("next_day.txt")
    with path.open(encoding="utf-8") as file, made.open("w", encoding="utf-8") as out:
        out.write(file.readline())
        for number, line in enumerate(file):
            chance = rng.random()
            if chance < 0.01:
                line = line.replace("|DES LILAS|", "|DES ROSES|").replace("|Cabinet de ", "|Maison de santé de ")
            elif chance < 0.015:
                line = line.replace("@", f"@nouveau{number}-", 1)
            out.write(line)
    return made


def cpu(server: int) -> tuple[float, float, float]:
    """Seconds so far: of this process, of its children that ended, of all processes under `server` (0: none)."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat") if server else ():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == server:
            ticks += int(fields[11]) + int(fields[12])
        elif stat.parent.name == str(server):
            ticks += sum(map(int, fields[11:15]))
    used = ticks / os.sysconf("SC_CLK_TCK")
    return own.ru_utime + own.ru_stime, children.ru_utime + children.ru_stime, used


def memory() -> int:
    """MB of this process now, without mapped files."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in status if line.startswith("RssAnon"))


def postmaster(db: Database) -> int:
    """0: not PostgreSQL, or elsewhere."""
    if db.dialect != "postgresql":
        return 0
    with db.engine.connect() as conn:
        backend = conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        try:
            return int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return 0


def main(count: int, url: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="mssante-directory-") as folder:
        path = Path(folder) / "Extraction_Correspondance_MSSante_bench.txt"
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:  # its memory is not the import's
            pool.submit(write_file, path, count).result()
        print(f"# {count:,} lines, {path.stat().st_size / 1e6:.0f} MB", flush=True)
        url = url or f"sqlite:///{folder}/bench.db"
        upgrade(url)
        db, keys = Database(url), KeyRing(b"k" * 32)
        server = postmaster(db)
        for name, file in (("first import", path), ("same file again", path), ("next day's file", next_day(path))):
            began, before, most = time.perf_counter(), cpu(server), 0

            def sampled(_done: int, _size: int) -> None:
                nonlocal most
                most = max(most, memory())

            report = importing.run(db, keys, file, system_clock, sampled)
            took = time.perf_counter() - began
            own, reading, database = (now - then for now, then in zip(cpu(server), before, strict=True))
            print(
                f"{name}: {took:.1f} s; CPU: writing {own:.1f} s, reading lines {reading:.1f} s, PostgreSQL {database:.1f} s "
                f"({report.lines:,} lines, {report.unchanged:,} known, {report.gone} gone; load {os.getloadavg()[0]:.1f})",
                flush=True,
            )
            print(f"    memory of the process that writes, without what it maps of the database: {most} MB at its most")
        if db.dialect == "postgresql":
            with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
                conn.exec_driver_sql("VACUUM ANALYZE directory_entries")
        print(f"{'asked':39} {'p50 ms':>8} {'p95 ms':>8} {'max ms':>8} {'who was meant is shown':>24}")
        for way, asked in questions(random.Random(2), path, 300).items():
            times, right = [], 0
            for search, meant in asked:
                began = time.perf_counter()
                shown = db.read_now(directory.search, search, 25)
                times.append(1000 * (time.perf_counter() - began))
                right += any(entry.address == meant for entry in shown)
            times.sort()
            p95 = times[int(0.95 * len(times))]
            print(
                f"{way:39} {statistics.median(times):8.1f} {p95:8.1f} {times[-1]:8.1f} {100 * right // len(times):22} %",
                flush=True,
            )
        db.close_now()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, sys.argv[2] if len(sys.argv) > 2 else None)
