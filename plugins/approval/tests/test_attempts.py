"""Generated attempts at forged, altered, swapped, replayed and expired approvals: none is accepted.

The environment variable EXAMPLES sets their number.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp

from adapter_host import (
    CLIENT_DECISION,
    ApprovalError,
    ApprovalRequiredError,
    ClientDecision,
    Principal,
    Result,
)
from adapter_host.testing import Running, running
from adapter_host_approval import Approvals

from .conftest import API, BASIC, BOSS, REFUND
from .stores import ENVIRONMENT, Shared

EXAMPLES = int(os.environ.get("EXAMPLES", "3000"))
CYCLE = 250
"""The attempts at one set of approvals; then one of them is used as it should be, so that attempts could succeed."""

CALLERS = [Principal(subject="ada"), Principal(subject="bob"), Principal(issuer="i", subject="ada"), None]
OPERATIONS = ["refund", "cancel"]
HEXADECIMAL = "0123456789abcdef"


class Call:
    """A call that waits, with the sealed reference of its client."""

    def __init__(self, operation: str, arguments: Mapping[str, Any], caller: Principal | None) -> None:
        self.operation, self.arguments, self.caller = operation, dict(arguments), caller
        self.state = ""

    @property
    def id(self) -> str:
        return self.state.partition(".")[0]

    def replace(self, **changes: Any) -> Call:
        kept = {"operation": self.operation, "arguments": self.arguments, "caller": self.caller}
        return Call(**{**kept, **changes})


class Attacker:
    """Makes attempts, and counts them."""

    def __init__(self, served: Running, session: aiohttp.ClientSession, shared: Shared) -> None:
        self.served, self.session, self.shared = served, session, shared
        self.random = random.Random(20260728)
        self.approvals = Approvals.of(served.host.plans[0].exposers[0].exposer.context)
        self.live: list[Call] = []
        self.dead: list[Call] = []
        self.attempts: Counter[str] = Counter()
        self.serial = 0

    @property
    def made(self) -> int:
        return len(self.served.fake("shop").calls)

    async def call(self, call: Call, state: str | None = None, *, approved: bool = True) -> Result:
        token = None if state is None else CLIENT_DECISION.set(ClientDecision(state, approved))
        try:
            return await self.served.host.call(f"front.{call.operation}", call.arguments, principal=call.caller)
        finally:
            if token is not None:
                CLIENT_DECISION.reset(token)

    async def ask(self, operation: str = "refund") -> Call:
        """Return a call that waits."""
        self.serial += 1
        call = Call(operation, {**REFUND, "amount": self.serial}, self.random.choice(CALLERS))
        try:
            await self.call(call)
        except ApprovalRequiredError as error:
            call.state = error.state
        assert call.state
        return call

    async def renew(self) -> None:
        """Let approvals be used, denied, approved on a page and used, and expire; then let others wait."""
        for call in self.live[:1]:
            before = self.made
            assert (await self.call(call, call.state)).data == call.arguments
            assert self.made == before + 1
        for call in self.live[1:2]:
            assert await refused(self.call(call, call.state, approved=False))
        for call in self.live[2:3]:
            await self.approvals.decide(call.id, approve=True, principal=None)
            assert (await self.call(call)).data == call.arguments
        self.dead = [*self.dead, *self.live][-40:]
        self.shared.now += 3700
        # The clock of the host has not advanced, so it would count the expired ones.
        await self.served.host.state.delete("approval:waiting")
        self.live = [await self.ask(operation) for operation in OPERATIONS * 3]

    def mutated(self, text: str) -> str:
        """Return another text than this one."""
        place = self.random.randrange(len(text)) if text else 0
        changed = self.random.choice(
            [
                text[:place] + self.random.choice(HEXADECIMAL) + text[place + 1 :],
                text[:place],
                text + self.random.choice(HEXADECIMAL),
                text.upper(),
                text[::-1],
                f"{text[:place]} {text[place:]}",
                "".join(self.random.choice(HEXADECIMAL) for _ in text),
                text.replace(".", "..", 1),
                f"\u0430{text[1:]}",
            ]
        )
        return changed if changed != text else f"{text}0"

    async def forge_state(self, call: Call) -> bool:
        other = self.random.choice(self.live)
        secret = self.approvals.link_secret(call.id)
        state = self.random.choice(
            [self.mutated(call.state), f"{call.id}.{other.state.partition('.')[2]}", f"{call.id}.{secret}", call.id]
        )
        return state == call.state or await refused(self.call(call, state))

    async def alter_arguments(self, call: Call) -> bool:
        amount = call.arguments["amount"]
        changes = [{"amount": amount + 0.5}, {"amount": -amount}, {"amount": amount * 10}, {"order": "A-2"}]
        changes += [{"order": "A-1 "}, {"order": "a-1"}, {"amount": amount + 2**60}]
        altered = call.replace(arguments={**call.arguments, **self.random.choice(changes)})
        return await refused(self.call(altered, call.state))

    async def swap(self, call: Call) -> bool:
        other = self.random.choice([each for each in self.live if each is not call])
        return await refused(self.call(call, other.state))

    async def borrow(self, call: Call) -> bool:
        caller = self.random.choice([each for each in CALLERS if each != call.caller])
        return await refused(self.call(call.replace(caller=caller), call.state))

    async def cross_operation(self, call: Call) -> bool:
        operation = next(each for each in OPERATIONS if each != call.operation)
        return await refused(self.call(call.replace(operation=operation), call.state))

    async def replay(self, _: Call) -> bool:
        if not self.dead:
            return True
        old = self.random.choice(self.dead)
        if self.random.random() < 0.5:
            return await refused(self.call(old, old.state))
        return await refused(self.approvals.decide(old.id, approve=True, principal=None))

    async def decide_forged(self, call: Call) -> bool:
        forged = self.approvals.decide(self.mutated(call.id), approve=True, principal=None)
        return await refused(forged)

    async def post(self, call: Call) -> bool:
        """Submit a forged form to the page of a call, or of none."""
        url = f"{self.served.url('page')}/{self.random.choice([call.id, self.mutated(call.id)])}"
        token, nonce = self.mutated("0" * 64), self.mutated("0" * 32)
        headers = {"Cookie": f"adapter-host-approval={nonce}".encode("ascii", "replace").decode(), **BOSS}
        data = {"token": token, "decision": "approve"}
        async with self.session.post(aiohttp_url(url), data=data, headers=headers) as response:
            return response.status in (400, 404, 405)


def aiohttp_url(url: str) -> str:
    return url.encode("ascii", "replace").decode().replace("?", "_").replace(" ", "_")


async def refused(attempt: Awaitable[Any]) -> bool:
    """Return whether an attempt is refused because of its approval, without a word about the reason."""
    try:
        await attempt
    except ApprovalRequiredError:
        return False
    except ApprovalError as error:
        return error.message.startswith(("the approval is not valid: ", "a person has denied"))
    return False


async def test_no_attempt_is_accepted() -> None:
    shared = Shared()
    operations = [{"name": name, "call": "shop.refund", "x-approval": True} for name in OPERATIONS]
    exposed = {"type": "fake", "namespace": "front", "operations": operations}
    page = {"type": "approval", "namespace": "page", "port": 0, "authentication": BASIC}
    data = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [API], "exposes": [exposed, page]}}
    async with (
        running(data, plugins=shared.plugins(), state="shared:", environment=ENVIRONMENT) as served,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        attacker = Attacker(served, session, shared)
        kinds: list[Callable[[Call], Awaitable[bool]]] = [
            attacker.forge_state, attacker.alter_arguments, attacker.swap, attacker.borrow,
            attacker.cross_operation, attacker.replay, attacker.decide_forged,
        ]  # fmt: skip
        for number in range(EXAMPLES):
            if number % CYCLE == 0:
                await attacker.renew()
                made = attacker.made
            kind = attacker.post if number % 20 == 0 else attacker.random.choice(kinds)
            attacker.attempts[kind.__name__] += 1
            assert await kind(attacker.random.choice(attacker.live)), f"{kind.__name__}, attempt {number}"
            assert attacker.made == made, f"{kind.__name__}, attempt {number}"
        assert sum(attacker.attempts.values()) == EXAMPLES
        assert len(attacker.attempts) == len(kinds) + 1
        assert len(await attacker.approvals.waiting()) == len(attacker.live)
