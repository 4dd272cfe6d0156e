"""What a name makes a system do with a file: only endings count, and of those only what Windows, a Mac or a browser heeds."""

from __future__ import annotations

# Opened as an archive, by its name, whatever stands in front of it: as ZIP files, which are looked at behind it …
ZIPS = frozenset(
    "zip zipx jar war ear apk aab xpi appx msix docx docm dotx dotm xlsx xlsm xlsb xltx xltm xlam pptx pptm potx potm ppsx ppsm "
    "ppam sldx sldm vsdx vsdm odt ott ods ots odp otp odg epub xps oxps kmz cbz thmx onepkg nupkg".split()
)
# … and of other formats, which are not
ARCHIVES = frozenset(
    "7z rar cab ace arj arc alz egg zoo lzh lha gz tgz bz2 tbz tbz2 xz txz zst tzst lz tlz lz4 lzma z taz tar cpio wim swm esd "
    "sit sitx hqx cbr cb7 uue uu xxe tnef".split()
)
IMAGES = frozenset("iso img".split())  # looked at as far as a disc image begins
MOUNTED = frozenset("vhd vhdx iso dmg udf vmdk".split())  # by their name, or told by octets that nobody has yet
LETTERS = frozenset("eml emlx nws mht mhtml".split())  # a message as a file: what it holds is opened with it

ARCHIVED_PAGES = frozenset("mht mhtml".split())  # RFC 2557
PAGES = frozenset("html htm xhtml xht shtml svg xml".split()) | ARCHIVED_PAGES  # opened by a browser
OFFICE = frozenset("doc dot wbk xls xlt xlw xlm ppt pot pps".split())  # opened by Office, whatever they are


def ending(name: str) -> str:
    """What Windows sees: without the dots and spaces that it drops at the end."""
    return name.rstrip(". ").rpartition(".")[2].lower()


def endings(name: str) -> set[str]:
    """The same, and those of names within it: behind a colon Windows keeps a stream of the file, at a zero many programs stop."""
    whole = {name, name.partition("\0")[0], name.partition(":")[0]}
    return {ending(each) for each in whole if "." in each}
