"""The client of the official SDK finds the agent by its card, and uses both bindings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from a2a.client import Client, ClientConfig, ClientFactory
from a2a.types import (
    CancelTaskRequest,
    GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    TaskState,
)
from a2a.utils.errors import (
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Value

from .conftest import A2aClient, Serve, call_part

READ = [{"name": "read"}]
CONSUMED = [{"name": "read", "inputParameters": [{"name": "id", "type": "integer", "required": True}]}]

pytestmark = [pytest.mark.filterwarnings("default::DeprecationWarning")]


@asynccontextmanager
async def connected(client: A2aClient, binding: str, *, streaming: bool = True) -> AsyncIterator[Client]:
    config = ClientConfig(streaming=streaming, supported_protocol_bindings=[binding], use_client_preference=True)
    origin = client.url.removesuffix("/a2a")
    async with await ClientFactory(config).create_from_url(origin) as made:
        yield made


@pytest.fixture(params=["JSONRPC", "HTTP+JSON"])
def binding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def message(data: Any = None, text: str | None = None, **members: Any) -> SendMessageRequest:
    part = Part(text=text) if text is not None else Part()
    if text is None:
        value = Value()
        value.struct_value.update(data)
        part.data.CopyFrom(value)
    sent = Message(message_id="m-1", role=Role.ROLE_USER, parts=[part], **members)
    return SendMessageRequest(message=sent)


async def events_of(stream: AsyncIterator[StreamResponse]) -> list[StreamResponse]:
    return [event async for event in stream]


def call(**arguments: Any) -> SendMessageRequest:
    return message(call_part("read", **arguments)["data"])


async def test_message(serve: Serve, binding: str) -> None:
    async with serve(READ, CONSUMED) as client, connected(client, binding, streaming=False) as agent:
        (response,) = await events_of(agent.send_message(call(id=7)))
        assert response.task.status.state == TaskState.TASK_STATE_COMPLETED
        (artifact,) = response.task.artifacts
        assert MessageToDict(artifact.parts[0].data) == {"id": 7.0}
        # Protocol Buffers have no integers in data, but the API receives one.
        assert client.api.calls == [("read", {"id": 7})]
        assert isinstance(client.api.calls[0][1]["id"], int)
        task = await agent.get_task(GetTaskRequest(id=response.task.id))
        assert task == response.task


async def test_streamed_message(serve: Serve, binding: str) -> None:
    async with serve(READ, CONSUMED) as client, connected(client, binding) as agent:
        first, artifact, last = await events_of(agent.send_message(call(id=7)))
    assert first.task.status.state == TaskState.TASK_STATE_WORKING
    assert artifact.artifact_update.last_chunk
    assert MessageToDict(artifact.artifact_update.artifact.parts[0].data) == {"id": 7.0}
    assert last.status_update.status.state == TaskState.TASK_STATE_COMPLETED


async def test_conversation(serve: Serve, binding: str) -> None:
    async with serve(READ, CONSUMED) as client, connected(client, binding, streaming=False) as agent:
        (response,) = await events_of(agent.send_message(message(text="Read number 7, please")))
        task = response.task
        assert task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        assert '{"skill": "NAME", "arguments": {...}}' in task.status.message.parts[0].text
        request = call(id=7)
        request.message.task_id, request.message.context_id = task.id, task.context_id
        (response,) = await events_of(agent.send_message(request))
        assert response.task.id == task.id
        assert response.task.status.state == TaskState.TASK_STATE_COMPLETED
        assert len(response.task.history) == 2


async def test_task_in_progress(serve: Serve, binding: str) -> None:
    async with serve(READ, CONSUMED) as client, connected(client, binding, streaming=False) as agent:
        hold = client.api.hold("read")
        request = call(id=7)
        request.configuration.CopyFrom(SendMessageConfiguration(return_immediately=True))
        (response,) = await events_of(agent.send_message(request))
        task = response.task
        assert task.status.state == TaskState.TASK_STATE_WORKING
        await hold.entered.wait()
        listed = await agent.list_tasks(ListTasksRequest(context_id=task.context_id))
        assert [each.id for each in listed.tasks] == [task.id]
        async with connected(client, binding) as other:
            stream = other.subscribe(SubscribeToTaskRequest(id=task.id))
            assert (await anext(stream)).task.status.state == TaskState.TASK_STATE_WORKING
            hold.release.set()
            events = await events_of(stream)
        assert [event.WhichOneof("payload") for event in events] == ["artifact_update", "status_update"]
        task = await agent.get_task(GetTaskRequest(id=task.id))
        assert task.status.state == TaskState.TASK_STATE_COMPLETED


async def test_cancelled_task(serve: Serve, binding: str) -> None:
    async with serve(READ, CONSUMED) as client, connected(client, binding, streaming=False) as agent:
        hold = client.api.hold("read")
        waiting = asyncio.ensure_future(events_of(agent.send_message(call(id=7))))
        await hold.entered.wait()
        (task_id,) = (task.id for task in exposer_tasks(client))
        cancelled = await agent.cancel_task(CancelTaskRequest(id=task_id))
        assert cancelled.status.state == TaskState.TASK_STATE_CANCELED
        await hold.cancelled.wait()
        (response,) = await waiting
        assert response.task.status.state == TaskState.TASK_STATE_CANCELED
        with pytest.raises(TaskNotCancelableError):
            await agent.cancel_task(CancelTaskRequest(id=task_id))


def exposer_tasks(client: A2aClient) -> list[Any]:
    store = client.served.host.status()[0].exposer.context.shared["a2a front"]
    return list(store.owned(""))


async def test_errors(serve: Serve, binding: str) -> None:
    async with serve(READ, CONSUMED) as client, connected(client, binding) as agent:
        with pytest.raises(TaskNotFoundError):
            await agent.get_task(GetTaskRequest(id="x"))
        request = call(id=7)
        request.message.task_id = "x"
        with pytest.raises(TaskNotFoundError):
            await events_of(agent.send_message(request))
        (_, _, last) = await events_of(agent.send_message(call(id=7)))
        request.message.task_id = last.status_update.task_id
        with pytest.raises(UnsupportedOperationError):
            await events_of(agent.send_message(request))
        with pytest.raises(UnsupportedOperationError):
            await events_of(agent.subscribe(SubscribeToTaskRequest(id=last.status_update.task_id)))
        with pytest.raises(PushNotificationNotSupportedError):
            await agent.get_task_push_notification_config(GetTaskPushNotificationConfigRequest(task_id="x", id="y"))


async def test_card(serve: Serve, binding: str) -> None:
    skills = [{"name": "read", "label": "Read it", "tags": ["reading"], "examples": ["Read number 7"]}]
    async with serve(skills, CONSUMED) as client, connected(client, binding) as agent:
        # Without an extended card, the client returns the public one.
        card = await agent.get_extended_agent_card(GetExtendedAgentCardRequest())
    assert [interface.protocol_binding for interface in card.supported_interfaces] == ["JSONRPC", "HTTP+JSON"]
    assert (card.name, card.version) == ("Museum", "1.2.3")
    assert not card.capabilities.push_notifications
    (skill,) = card.skills
    assert (skill.id, skill.name, skill.description) == ("read", "Read it", "Does it")
    assert (list(skill.tags), list(skill.examples)) == (["reading"], ["Read number 7"])
    schemas = MessageToDict(card.capabilities.extensions[0].params)["skills"]
    assert schemas["read"]["arguments"]["properties"] == {"id": {"type": "integer"}}
