"""Debian's Thunderbird, as a professional uses it: finds its settings by itself, reads, answers, moves, searches. Outside CI.

    apt-get install thunderbird
    sudo .venv/bin/python -m tests.clients.thunderbird

Runs as root in a network and file system namespace of its own, where the operator has its official ports and its names lead to
loopback: nothing outside can be reached. Prints each step; stops at the first that fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.clients.marionette import Marionette
from tests.clients.sides import imap
from tests.support.child import ends_with_us
from tests.support.demo import ROOT, Demo, free_port_base, wait_until
from tests.support.peer import authority, issue

DOORS = {"imap": "0.0.0.0:143", "imaps": "0.0.0.0:993", "submissions": "0.0.0.0:465", "submission": "0.0.0.0:587"}
LDAPS = "0.0.0.0:636"
WEB = "127.0.0.1:443"  # where settings are asked for; nothing answers at the mail server's own address
AUTOCONFIG = "autoconfig.medecins.alpha.example"
HOSTS = f"127.0.0.1 localhost {AUTOCONFIG}\n127.0.0.2 mail.alpha.example\n"
SCRIPT = Path(__file__).with_suffix(".js").read_text()
PREFERENCES = {
    "remote.prefs.recommended": False,  # passwords are remembered, as a person's are
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "app.update.disabledForTesting": True,
    "mail.biff.show_alert": False,
    "mail.server.default.check_all_folders_for_new": True,
}


# -------------------------------------------------------------------- the operator, as outside sees it
def alone() -> None:
    """Starts this again in namespaces of its own; a resolver on loopback refuses at once, one out of reach takes minutes."""
    with tempfile.TemporaryDirectory() as folder:
        files = {"hosts": HOSTS, "resolv.conf": "nameserver 127.0.0.1\n"}
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        mounts = " && ".join(f"mount --bind {folder}/{name} $(realpath /etc/{name})" for name in files)
        inside = f"ip link set lo up && {mounts} && exec {sys.executable} -m {__spec__.name} inside"
        sys.exit(subprocess.run(["unshare", "--net", "--mount", "sh", "-c", inside], cwd=ROOT, check=False).returncode)


class Operator:
    """The demo's data, served on official ports; the web certificate names where Thunderbird asks first."""

    def __init__(self, data: Path) -> None:
        self.demo = Demo(data, free_port_base(), ("--operators", "1")).start()
        self.demo.stop()
        issue(authority(self.demo), AUTOCONFIG).write(data / "alpha" / "tls", "web")
        settings = data / "alpha" / "mssante.toml"
        text = settings.read_text()
        for door, place in (DOORS | {"web": WEB, "ldaps": LDAPS}).items():
            text = re.sub(rf'(?m)^{door} = ".*"$', f'{door} = "{place}"', text)
        text = text.replace("[web]\n", '[web]\ncertificate = "tls/web.pem"\nkey = "tls/web.key"\n')
        settings.write_text(text)
        self.demo.operator().update(DOORS)
        command = ends_with_us(sys.executable, "-m", "runtime.cli", "serve", "--config", str(settings))
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=(data / "served.log").open("w"), stderr=subprocess.STDOUT
        )

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


# -------------------------------------------------------------------- Thunderbird
class Thunderbird(Marionette):
    def __init__(self, folder: Path) -> None:
        profile = folder / "profile"
        profile.mkdir(exist_ok=True)
        lines = [f'user_pref("{name}", {str(value).lower()});\n' for name, value in PREFERENCES.items()]
        (profile / "user.js").write_text("".join(lines))
        command = "thunderbird --headless --no-remote --remote-allow-system-access --profile".split()
        super().__init__([*command, str(profile)], folder / "thunderbird.log")

    def does(self, act: str, *arguments: Any) -> None:
        """A function of thunderbird.js; printed with what it gave."""
        began = time.monotonic()
        answer = self.run(f"{SCRIPT}; return {act}(...arguments)", *arguments)
        print(f"{act}: {time.monotonic() - began:.1f} s {'' if answer is None else answer}", flush=True)


def check(folder: Path) -> None:
    operator = Operator(folder)
    demo, doctor, nurse = operator.demo, operator.demo.person("medecin"), operator.demo.member("cardiologie", 1)
    thunderbird = Thunderbird(folder)

    def tell(subject: str, text: str) -> None:
        demo.send("laboratoire", doctor["address"], subject, text)

    def there(person: dict[str, Any], subject: str, place: str, *criteria: str) -> None:
        with imap(demo, person) as client:
            client.select_folder(place, readonly=True)
            wait_until(lambda: client.search(["SUBJECT", subject, *criteria], "UTF-8"), why=f"{subject} in {place}")
        print(f"    on the server: {subject} in {place} {' '.join(criteria)}", flush=True)

    try:
        thunderbird.does("trust", Path(demo.operator()["ca"]).read_text())
        thunderbird.does("addAccount", doctor["name"], doctor["address"], doctor["password"])
        tell("Potassium", "Kaliémie élevée : 5,9 mmol/L")
        thunderbird.does("read", "Potassium", "Kaliémie élevée : 5,9 mmol/L")
        there(doctor, "Potassium", "INBOX", "SEEN")
        tell("Sodium", "Natrémie 140 mmol/L")
        thunderbird.does("arrives", "Sodium")
        thunderbird.does("answer", "Potassium", "Merci, à recontrôler.")
        there(demo.person("laboratoire"), "Re: Potassium", "INBOX", "BODY", "recontrôler")
        there(doctor, "Re: Potassium", "Envoyés", "SEEN")
        there(doctor, "Potassium", "INBOX", "ANSWERED")
        thunderbird.does("write", nurse["address"], "Avis, été", "Déjà vu.")
        there(nurse, "Avis, été", "INBOX", "BODY", "Déjà vu.")
        thunderbird.does("refused", "personne@medecins.alpha.example", "Perdu")
        thunderbird.does("search", "kaliémie ÉLEVÉE")
        thunderbird.does("move", "Potassium", "Archives")
        there(doctor, "Potassium", "Archives", "FLAGGED", "KEYWORD", "$label1")
        thunderbird.does("remove", "Sodium")
        there(doctor, "Sodium", "Corbeille")

        base = "ldaps://mail.alpha.example/ou=annuaire,o=mssante??sub?(objectclass=*)"
        thunderbird.does("directory", base, doctor["login"], doctor["password"])
        for typed in ("officine", "marché", "cardio", "personne"):
            thunderbird.does("completes", "ldap", typed)
        thunderbird.does("addressBooks", f"https://{AUTOCONFIG}", doctor["login"], doctor["password"])
        laboratory, pharmacy = demo.person("laboratoire"), demo.person("pharmacie")
        thunderbird.does("completes", "addrbook", laboratory["address"].partition("@")[0][:6])
        demo.send("pharmacie", doctor["address"], "Ordonnance", "Bonjour.")
        thunderbird.does("synchronises", "Correspondants MSSanté", pharmacy["address"])
        thunderbird.does("completes", "addrbook", "marché")

        thunderbird.close()
        tell("Calcium", "Calcémie 2,4 mmol/L")
        tell("Fer", "Fer sérique 12 µmol/L")
        with imap(demo, doctor) as client:
            client.select_folder("Archives")
            client.remove_flags(client.search(["SUBJECT", "Potassium"]), [b"\\Flagged", b"$label1"])
            client.select_folder("INBOX")
            client.add_flags(client.search(["SUBJECT", "Calcium"]), [b"\\Seen", b"\\Flagged"])
        thunderbird = Thunderbird(folder)
        thunderbird.does("changed", "Archives", "Potassium", True, False)
        thunderbird.does("changed", "Inbox", "Calcium", True, True)
        thunderbird.does("changed", "Inbox", "Fer", False, False)
        print("Thunderbird does its daily work.")
    finally:
        thunderbird.close()
        operator.stop()


if __name__ == "__main__":
    if sys.argv[1:] == ["inside"]:
        with tempfile.TemporaryDirectory() as folder:
            check(Path(folder))
    else:
        alone()
