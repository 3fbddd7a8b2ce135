"""What a policy puts around calls, from the outside in: deadline, retries, limits, circuit breaker."""

from __future__ import annotations

from adapter_host import Arguments, Call, ConsumedCall, ConsumedOperation, Result

from .breaker import Circuit
from .config import ApiPolicy, Limits, OperationPolicy, Retry
from .deadline import within
from .failure import refused
from .limits import ConcurrencyLimit, RateLimit, Turns
from .retry import SAFE_TO_REPEAT, Retrying


class Api:
    """One consumed API, with what its operations share. `budget` is how long calls without a deadline are repeated."""

    def __init__(self, policy: ApiPolicy, namespace: str, budget: float) -> None:
        self._policy = policy
        self._budget = budget
        self._turns = turns_of(policy, namespace)
        self._circuit = Circuit(policy.breaker, namespace) if policy.breaker else None

    def wrap(self, operation: ConsumedOperation, own: OperationPolicy, call: ConsumedCall) -> ConsumedCall:
        """The call with the policies of the API and of the operation around it; itself when they say nothing."""
        name = f"{operation.namespace}.{operation.name}"
        retry = self._retry(operation, own)
        turns = [*turns_of(own, name), *self._turns]
        deadline = self._policy.deadline if own.deadline is None else own.deadline
        if not (retry or turns or self._circuit or deadline):
            return call
        wrapped = _raising(call)
        if self._circuit:
            wrapped = self._circuit.around(wrapped)
        for turn in reversed(turns):
            wrapped = _in_turn(wrapped, turn)
        if self._circuit and turns:
            # Asked here too, so that no call waits, and counts, that will not be made.
            wrapped = _checked(wrapped, self._circuit)
        if retry:
            wrapped = Retrying(retry, name, self._budget, self._is_left_alone).around(wrapped)
        return _ending(wrapped, deadline, name) if deadline else wrapped

    def _retry(self, operation: ConsumedOperation, own: OperationPolicy) -> Retry | None:
        retry = own.retry or self._policy.retry
        repeatable = operation.method in SAFE_TO_REPEAT if own.idempotent is None else own.idempotent
        return retry if retry and retry.attempts > 1 and repeatable else None

    def _is_left_alone(self) -> bool:
        return self._circuit is not None and self._circuit.is_open


def turns_of(policy: Limits, name: str) -> list[Turns]:
    """The limits that a policy sets."""
    turns: list[Turns] = []
    if policy.rate:
        turns.append(RateLimit(policy.rate, name))
    if policy.concurrency:
        turns.append(ConcurrencyLimit(policy.concurrency, name))
    return turns


def wrap_operation(policy: Limits, name: str, call: Call) -> Call:
    """The call of an exposed operation with its policy around it; itself when that says nothing."""
    for turn in reversed(turns_of(policy, name)):
        call = _waiting(call, turn)
    return _timed(call, policy.deadline, name) if policy.deadline else call


def _waiting(call: Call, turn: Turns) -> Call:
    return lambda arguments: turn.run(lambda: call(arguments))


def _timed(call: Call, seconds: float, name: str) -> Call:
    return lambda arguments: within(seconds, name, lambda: call(arguments))


def _raising(call: ConsumedCall) -> ConsumedCall:
    """The call, with an answer that is an error raised as one."""

    async def made(arguments: Arguments, *, stream: bool = False) -> Result:
        result = await call(arguments, stream=stream)
        if error := refused(result):
            raise error
        return result

    return made


def _in_turn(call: ConsumedCall, turn: Turns) -> ConsumedCall:
    return lambda arguments, *, stream=False: turn.run(lambda: call(arguments, stream=stream))


def _checked(call: ConsumedCall, circuit: Circuit) -> ConsumedCall:
    async def run(arguments: Arguments, *, stream: bool = False) -> Result:
        circuit.check()
        return await call(arguments, stream=stream)

    return run


def _ending(call: ConsumedCall, seconds: float, name: str) -> ConsumedCall:
    return lambda arguments, *, stream=False: within(seconds, name, lambda: call(arguments, stream=stream))
