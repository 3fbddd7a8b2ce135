"""Wraps calls in their policies, from the outside in: deadline, retries, limits, circuit breaker."""

from __future__ import annotations

from adapter_host import AdapterState, Arguments, BuildContext, Call, ConsumedCall, ConsumedOperation, Result

from .breaker import CircuitBreaker
from .config import KEY, ApiPolicy, CallPolicy, OperationPolicy, RetryPolicy
from .deadline import call_within
from .failure import error_from_result
from .idempotency.request_keys import add_key
from .limits import ConcurrencyLimiter, RateLimiter, RunsCalls
from .retry import SAFE_TO_REPEAT, Retrier
from .shared_concurrency import SharedConcurrencyLimiter
from .shared_rate import SharedRateLimiter


class ConsumedApi:
    """State that the operations of a consumed API share; `budget` bounds retries without a deadline, in seconds."""

    def __init__(self, policy: ApiPolicy, namespace: str, budget: float, context: BuildContext) -> None:
        self._policy = policy
        self._budget = budget
        self._context = context
        self._limiters = limiters_for(policy, namespace, context)
        self._breaker = CircuitBreaker(policy.breaker, namespace) if policy.breaker else None
        if self._breaker is not None:
            context.states.append(AdapterState("circuit breaker", self._breaker.describe))

    def wrap(self, operation: ConsumedOperation, own_policy: OperationPolicy, call: ConsumedCall) -> ConsumedCall:
        """Wrap a call in the policies of its API and operation; return it unchanged if there are none."""
        name = f"{operation.namespace}.{operation.name}"
        retry = self._retry(operation, own_policy)
        limiters = [*limiters_for(own_policy, name, self._context), *self._limiters]
        deadline = self._policy.deadline if own_policy.deadline is None else own_policy.deadline
        header = own_policy.idempotency_key
        if not (retry or limiters or self._breaker or deadline):
            return add_key(call, header, name) if header else call
        wrapped = _raise_error_results(call)
        if self._breaker:
            wrapped = self._breaker.wrap(wrapped)
        for limiter in reversed(limiters):
            wrapped = _limit_consumed_call(wrapped, limiter)
        if self._breaker and limiters:
            # Checked before the limits, too: a call that will be rejected must not wait or count.
            wrapped = _check_circuit(wrapped, self._breaker)
        if retry:
            wrapped = Retrier(retry, name, self._budget, self._is_circuit_open).wrap(wrapped)
        if header:
            # Around the retries, so that all attempts have one key.
            wrapped = add_key(wrapped, header, name)
        return _limit_consumed_time(wrapped, deadline, name) if deadline else wrapped

    def _retry(self, operation: ConsumedOperation, own_policy: OperationPolicy) -> RetryPolicy | None:
        retry = own_policy.retry or self._policy.retry
        repeatable = own_policy.idempotent
        if repeatable is None:
            repeatable = operation.method in SAFE_TO_REPEAT or own_policy.idempotency_key is not None
        return retry if retry and retry.attempts > 1 and repeatable else None

    def _is_circuit_open(self) -> bool:
        return self._breaker is not None and self._breaker.is_open


def is_repeatable(operation: ConsumedOperation) -> bool:
    """Return whether a request of an operation can be sent again in another call."""
    policy = (getattr(operation.spec, "model_extra", None) or {}).get(KEY)
    keys = policy if isinstance(policy, dict) else {}
    if keys.get("idempotent") is not None:
        return keys["idempotent"] is True
    return operation.method in SAFE_TO_REPEAT or bool(keys.get("idempotencyKey"))


def limiters_for(policy: CallPolicy, name: str, context: BuildContext) -> list[RunsCalls]:
    """Create the limiters of a policy."""
    limiters: list[RunsCalls] = []
    if policy.rate:
        is_shared = policy.rate.shared or policy.rate.by is not None
        limiters.append(SharedRateLimiter(policy.rate, name, context) if is_shared else RateLimiter(policy.rate, name))
    if policy.concurrency:
        is_shared = policy.concurrency.shared
        limiters.append(
            SharedConcurrencyLimiter(policy.concurrency, name, context)
            if is_shared
            else ConcurrencyLimiter(policy.concurrency, name)
        )
    return limiters


def wrap_operation(policy: CallPolicy, name: str, call: Call, context: BuildContext) -> Call:
    """Wrap the call of an exposed operation in its policy; return it unchanged if the policy is empty."""
    for limiter in reversed(limiters_for(policy, name, context)):
        call = _limit_call(call, limiter)
    return _limit_time(call, policy.deadline, name) if policy.deadline else call


def _limit_call(call: Call, limiter: RunsCalls) -> Call:
    return lambda arguments: limiter.run(lambda: call(arguments))


def _limit_time(call: Call, seconds: float, name: str) -> Call:
    return lambda arguments: call_within(seconds, name, lambda: call(arguments))


def _raise_error_results(call: ConsumedCall) -> ConsumedCall:
    """Wrap a call to raise results with an error status."""

    async def made(arguments: Arguments, *, stream: bool = False) -> Result:
        result = await call(arguments, stream=stream)
        if error := error_from_result(result):
            raise error
        return result

    return made


def _limit_consumed_call(call: ConsumedCall, limiter: RunsCalls) -> ConsumedCall:
    return lambda arguments, *, stream=False: limiter.run(lambda: call(arguments, stream=stream))


def _check_circuit(call: ConsumedCall, breaker: CircuitBreaker) -> ConsumedCall:
    async def run(arguments: Arguments, *, stream: bool = False) -> Result:
        breaker.check()
        return await call(arguments, stream=stream)

    return run


def _limit_consumed_time(call: ConsumedCall, seconds: float, name: str) -> ConsumedCall:
    return lambda arguments, *, stream=False: call_within(seconds, name, lambda: call(arguments, stream=stream))
