"""THREAD (RFC 5256 3; REFS as draft-ietf-morg-inthread): messages into trees. Pure, linear but for the sorts, no recursion.

A forest is a list of `Node`s; a node without a message stands for one that is not among those searched.
"""

from __future__ import annotations

import itertools
import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailserver.imap.heads import field as field_of
from mailserver.imap.sorting import collated, sent_at, subject_of

REFERENCES = 100  # the nearest ones that are looked at: a bound on a hostile header
ABSENT = 1_000_000  # Message-IDs that are only named: more of them join nothing

_MESSAGE_ID = re.compile(rb"<[^<>\s]{1,998}>")


@dataclass(frozen=True, slots=True)
class Letter:
    """What threading looks at, and no text: a folder has a million of these. `number` as it is to be answered; `date` in seconds.

    `topic`: hash of the base subject, 0 of none; `answer` as in `Subject`. Message-IDs are hashes too, of 64 bits with a key of
    this process: nobody can make two that agree. `message_id`: 0 without one; `references`: the parent last.
    """

    number: int
    date: int
    topic: int
    answer: bool
    message_id: int
    references: Sequence[int]


@dataclass(slots=True, eq=False)
class Node:
    letter: Letter | None
    children: list[Node] = field(default_factory=list)

    @property
    def first(self) -> Letter:
        """The letter that speaks for the node: its own, or its first child's (a node without a letter has children)."""
        return self.letter or self.children[0].first

    @property
    def when(self) -> tuple[int, int]:
        """Sent date; equal ones by number."""
        return self.first.date, self.first.number


def letter_of(number: int, head: bytes, arrived: int, nearest: int = REFERENCES) -> Letter:
    """From the decoded, case-folded headers; `arrived` (seconds) stands for a Date that cannot be read (RFC 5256 2.2). Of
    References the `nearest`.

    The parent is the last of References, or without any the first of In-Reply-To (RFC 5256 3, REFERENCES, step 1).
    """
    own = message_ids(field_of(head, b"message-id"))[:1]
    references = message_ids(field_of(head, b"references")) or message_ids(field_of(head, b"in-reply-to"))[:1]
    named = array("q", [name for name in dict.fromkeys(references) if name not in own])
    subject = subject_of(head)
    topic = hash(collated(subject.base)) or 1 if subject.base else 0
    return Letter(number, sent_at(head, arrived), topic, subject.answer, own[0] if own else 0, named[-nearest:])


def message_ids(value: bytes) -> list[int]:
    return [hash(name) or 1 for name in _MESSAGE_ID.findall(value)[-REFERENCES:]]


def by_subject(letters: Sequence[Letter]) -> list[Node]:
    """ORDEREDSUBJECT: the first of a subject is the root, the others its children."""
    groups: dict[int, list[Letter]] = {}
    for letter in sorted(letters, key=lambda letter: (letter.date, letter.number)):
        groups.setdefault(letter.topic, []).append(letter)
    return [Node(first, [Node(letter) for letter in rest]) for first, *rest in groups.values()]


def by_references(letters: Sequence[Letter]) -> list[Node]:
    """REFERENCES: trees by Message-ID, then trees of one subject joined."""
    roots = _trees(letters)
    roots.sort(key=lambda node: node.when)
    roots = _joined(roots)
    _sort_children(roots)
    roots.sort(key=lambda node: node.when)
    return roots


def by_refs(letters: Sequence[Letter]) -> list[Node]:
    """REFS: as REFERENCES, subjects disregarded, the thread with the latest message last."""
    roots = _trees(letters)
    return sorted(roots, key=_latest)


ALGORITHMS: dict[bytes, Callable[[Sequence[Letter]], list[Node]]] = {
    b"ORDEREDSUBJECT": by_subject,
    b"REFERENCES": by_references,
    b"REFS": by_refs,
}


# ---------------------------------------------------------------- steps 1 to 4 of REFERENCES
def _trees(letters: Sequence[Letter]) -> list[Node]:
    parents = _linked(letters)
    real = len(letters)
    nodes = [Node(letter) for letter in letters] + [Node(None) for _ in range(len(parents) - real)]
    roots: dict[int, Node] = {}
    for index in range(real):
        parent = _kept_parent(parents, index, real)
        if parent is None:
            roots[index] = nodes[index]
        else:
            nodes[parent].children.append(nodes[index])
            if parent >= real:
                roots[parent] = nodes[parent]
    found = [node.children[0] if node.letter is None and len(node.children) == 1 else node for node in roots.values()]
    _sort_children(found)
    return found


def _linked(letters: Sequence[Letter]) -> list[int | None]:
    """Parent of each letter and, behind them, of each Message-ID that is only named. A letter's own word goes before others'."""
    number_of: dict[int, int] = {}
    for index, letter in enumerate(letters):
        if letter.message_id:
            number_of.setdefault(letter.message_id, index)  # of two with one Message-ID the second stands alone
    size = len(letters)
    for letter in letters:
        for name in letter.references:
            if name not in number_of and size < len(letters) + ABSENT:
                number_of[name] = size
                size += 1
    parents: list[int | None] = [None] * size
    joined = list(range(size))  # disjoint sets: two of one tree are never linked, for that would be a loop

    def top(node: int) -> int:
        while joined[node] != node:
            joined[node] = node = joined[joined[node]]
        return node

    def link(child: int, parent: int) -> None:
        if parents[child] is None and (above := top(parent)) != (below := top(child)):
            parents[child] = parent
            joined[below] = above

    def chain(letter: Letter) -> list[int]:
        return [number_of[name] for name in letter.references if name in number_of]

    for index, letter in enumerate(letters):
        if above := chain(letter)[-1:]:
            link(index, above[0])
    for letter in letters:
        for parent, child in itertools.pairwise(chain(letter)):
            link(child, parent)
    return parents


def _kept_parent(parents: list[int | None], node: int, real: int) -> int | None:
    """The nearest letter above, else the topmost of the Message-IDs that are only named. Shortens the way for the next."""
    way = []
    at = parents[node]
    while at is not None and at >= real and parents[at] is not None:
        way.append(at)
        at = parents[at]
    for passed in way:
        parents[passed] = at
    return at


# ---------------------------------------------------------------- step 5
def _joined(roots: list[Node]) -> list[Node]:
    table: dict[int, Node] = {}
    for root in roots:
        first = root.first
        if not first.topic:
            continue
        held = table.get(first.topic)
        if held is None or (
            held.letter is not None and (root.letter is None or (held.first.answer and not first.answer))
        ):
            table[first.topic] = root
    merged: dict[Node, Node] = {}  # a root that gave its place to a new one above it
    gone: set[Node] = set()
    for root in roots:
        first = root.first
        held = table.get(first.topic) if first.topic else None
        if held is None or held is root:
            continue
        gone.add(root)
        top = merged.get(held, held)
        if top.letter is None:
            top.children += root.children if root.letter is None else [root]
        elif first.answer and not top.first.answer:
            top.children.append(root)
        else:
            merged[held] = Node(None, [held, root])
    return [merged.get(root, root) for root in roots if root not in gone]


# ---------------------------------------------------------------- walks
def _sort_children(roots: list[Node]) -> None:
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node.children:
            # Only a root has no letter: what its children say is known before it is asked.
            node.children.sort(key=lambda child: child.when)
            waiting += node.children


def _latest(root: Node) -> tuple[int, int]:
    found, waiting = (0, 0), [root]
    while waiting:
        node = waiting.pop()
        if node.letter is not None:
            found = max(found, (node.letter.date, node.letter.number))
        waiting += node.children
    return found


def thread_text(roots: Sequence[Node]) -> bytes:
    """The thread-list of RFC 5256 5: `(2)(3 6 (4 23)(44 7 96))`."""
    pieces: list[bytes] = []
    waiting: list[Node | bytes] = []
    for root in roots:
        waiting = [b")", root]
        pieces.append(b"(")
        while waiting:
            node = waiting.pop()
            if isinstance(node, bytes):
                pieces.append(node)
                continue
            if node.letter is not None:
                pieces.append(b"%d" % node.letter.number)
            if len(node.children) == 1:
                pieces.append(b" ")
                waiting.append(node.children[0])
            elif node.children:
                if node.letter is not None:
                    pieces.append(b" ")
                for child in reversed(node.children):
                    waiting += [b")", child, b"("]
    return b"".join(pieces)
