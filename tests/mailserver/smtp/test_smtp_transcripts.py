"""Dialogues of `transcripts/`, each played whole and again octet by octet: the answers must not depend on the segments."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mailserver.smtp.smtp_house import PEOPLE, Memory, house, play, read_transcript

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.mark.parametrize("step", [0, 1], ids=["whole", "octet by octet"])
@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
async def test_transcript(path: Path, step: int, tmp_path: Path) -> None:
    transcript, acceptor = read_transcript(path), Memory()
    sign_in = PEOPLE.with_tokens() if transcript.head.get("tokens") == "yes" else PEOPLE
    await play(transcript, house(tmp_path, acceptor, transcript.head.get("peer", "beta"), sign_in=sign_in), step)
    if "accepted" in transcript.head:
        assert len(acceptor.accepted) == int(transcript.head["accepted"])
