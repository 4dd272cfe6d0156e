"""From mailboxes, directory and trust list to the plain facts that the rules judge: gathered in one way for every door.

Pure but for the directory's entry, which the caller looks up. Whoever delivers, or shows a reply form, gathers the same facts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mssante.address import Address, citizen_ins
from mssante.directory import Entry
from mssante.identity import Fault, Invalid
from mssante.kinds import BoxState, Party
from mssante.mailbox import Mailbox
from mssante.operators import Operator
from mssante.rules import RecipientFacts, SenderFacts

Trusted = Callable[[str], bool]  # is this domain in the trust list?

SYSTEM = SenderFacts(Party.SYSTEM)


def sender_facts(address: Address, box: Mailbox | None, operator: Operator, trusted: Trusted) -> SenderFacts:
    """`box`: the sender's mailbox when it is ours."""
    ours = operator.serves(address.domain)
    party, trusted_domain = operator.party_of(address), ours or trusted(address.domain)
    facts = SenderFacts(party, ours=ours, domain_trusted=trusted_domain, domain=address.domain)
    return facts if box is None else replace(facts, state=box.state)


def recipient_facts(
    address: Address,
    box: Mailbox | None,
    operator: Operator,
    trusted: Trusted,
    entry: Entry | None = None,
) -> RecipientFacts:
    """`box`: the mailbox when it is ours; `entry`: the directory's, which tells the kind and sector of another operator's."""
    ours = operator.serves(address.domain)
    described = box or entry
    return RecipientFacts(
        party=operator.party_of(address),
        kind=described.kind if described else None,
        ours=ours,
        known=box is not None or not ours,
        domain_trusted=ours or trusted(address.domain),
        state=box.state if box else BoxState.ACTIVE,
        refuses_when_suspended=box is not None and box.refuses,
        profile=box.profile if box else None,
        ins_key_right=_ins_key_right(address, operator),
        sector=described.sector if described else None,
        closed_at=box.closed_at if box else None,
        domain=address.domain,
    )


def _ins_key_right(address: Address, operator: Operator) -> bool:
    """False only for what looks like an INS: `reponse.automatique-test` is a real address of the citizens' domain."""
    ins = citizen_ins(address, operator.citizen_domain)
    return not (isinstance(ins, Invalid) and ins.fault is Fault.KEY)
