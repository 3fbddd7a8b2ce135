"""Tasks: their callers, bounds and lifetimes."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, encode_basic_auth

from adapter_host import Host, Plugins, ProblemsError, Result, Settings
from adapter_host.testing import FakePlugin, running
from adapter_host_a2a.errors import TaskNotFoundError, TooManyTasksError
from adapter_host_a2a.exposer import A2aExposer
from adapter_host_a2a.tasks import MAX_HISTORY, Task, TaskStore

from .conftest import Document, Serve, call_part, new_message

READ = [{"name": "read"}]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def ended(store: TaskStore, owner: str = "ada", size: int = 0, most: int = 1_000, most_bytes: int = 10_000) -> Task:
    task = store.create(owner, None, most, most_bytes)
    task.set_state("TASK_STATE_COMPLETED", {"text": "x" * size})
    store.note_change(task, 60, most_bytes)
    return task


def test_tasks_expire() -> None:
    clock = Clock()
    store = TaskStore(clock)
    one = ended(store)
    working = store.create("ada", None, 10, 10_000)
    working.set_state("TASK_STATE_WORKING")
    store.note_change(working, 60, 10_000)
    clock.now = 30
    two = ended(store)
    clock.now = 60
    with pytest.raises(TaskNotFoundError):
        store.find(one.id, "ada")
    # A task in progress does not expire, whenever it has begun.
    clock.now = 80
    assert [task.id for task in store.owned("ada")] == [two.id, working.id]
    clock.now = 90
    assert [task.id for task in store.owned("ada")] == [working.id]


def test_oldest_task_gives_way() -> None:
    store = TaskStore()
    one, two = ended(store, most=2), ended(store, most=2)
    three = ended(store, most=2)
    assert [task.id for task in store.owned("ada")] == [three.id, two.id]
    with pytest.raises(TaskNotFoundError):
        store.find(one.id, "ada")


def test_tasks_in_progress_are_kept() -> None:
    store = TaskStore()
    for _ in range(2):
        store.create("ada", None, 2, 10_000).set_state("TASK_STATE_WORKING")
    with pytest.raises(TooManyTasksError):
        store.create("ada", None, 2, 10_000)
    assert len(store) == 2


def test_bytes_of_tasks_in_progress_are_bounded() -> None:
    store = TaskStore()
    task = store.create("ada", None, 10, 1_000)
    task.add_message({"messageId": "x" * 1_000})
    store.note_change(task, 60, 1_000)
    with pytest.raises(TooManyTasksError):
        store.create("ada", None, 10, 1_000)


def test_bytes_are_bounded() -> None:
    store = TaskStore()
    tasks = [ended(store, size=1_000, most_bytes=3_000) for _ in range(4)]
    assert [task.id for task in store.owned("ada")] == [tasks[3].id, tasks[2].id]
    # One that is too large on its own is dropped, too.
    ended(store, size=5_000, most_bytes=3_000)
    assert len(store) == 0


def test_history_is_bounded() -> None:
    task = Task("ada", "c")
    for number in range(MAX_HISTORY + 5):
        task.add_message({"messageId": str(number)})
    assert len(task.as_data()["history"]) == MAX_HISTORY
    assert task.as_data(2)["history"] == [{"messageId": "23"}, {"messageId": "24"}]
    assert "history" not in task.as_data(0)
    assert len(task.as_data(1_000)["history"]) == MAX_HISTORY


async def test_conversation(serve: Serve) -> None:
    async with serve(READ) as client:
        task = await client.start({"text": "hello"})
        assert task["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
        other = await client(
            "SendMessage", {"message": {**new_message(call_part("read")), "taskId": task["id"], "contextId": "x"}}
        )
        assert other.error["data"][0]["fieldViolations"][0]["field"] == "message.contextId"
        done = await client.start(call_part("read", id=7), message={"taskId": task["id"]})
        assert (done["id"], done["contextId"]) == (task["id"], task["contextId"])
        assert done["status"]["state"] == "TASK_STATE_COMPLETED"
        assert [message["taskId"] for message in done["history"]] == [task["id"]] * 2


async def test_client_chooses_the_context(serve: Serve) -> None:
    async with serve(READ) as client:
        tasks = [await client.start(call_part("read"), message={"contextId": "c-1"}) for _ in range(3)]
        assert {task["contextId"] for task in tasks} == {"c-1"}
        page = (await client("ListTasks", {"contextId": "c-1", "pageSize": 2})).result
        assert [task["id"] for task in page["tasks"]] == [tasks[2]["id"], tasks[1]["id"]]
        assert (page["totalSize"], page["pageSize"]) == (3, 2)
        assert all("artifacts" not in task for task in page["tasks"])
        params = {"contextId": "c-1", "pageToken": page["nextPageToken"], "includeArtifacts": True, "historyLength": 0}
        page = (await client("ListTasks", params)).result
        assert [task["id"] for task in page["tasks"]] == [tasks[0]["id"]]
        assert page["nextPageToken"] == ""
        assert "artifacts" in page["tasks"][0]
        assert "history" not in page["tasks"][0]
        for params, count in (
            ({"status": "TASK_STATE_WORKING"}, 0),
            ({"status": "TASK_STATE_COMPLETED"}, 3),
            ({"statusTimestampAfter": "2999-01-01T00:00:00Z"}, 0),
            ({"statusTimestampAfter": "2020-01-01T00:00:00Z"}, 3),
        ):
            assert (await client("ListTasks", {"contextId": "c-1", **params})).result["totalSize"] == count


async def test_unknown_callers_see_no_tasks_without_a_context(serve: Serve) -> None:
    async with serve(READ) as client:
        await client.start(call_part("read"))
        assert (await client("ListTasks")).result["tasks"] == []


async def test_tasks_are_those_of_their_callers(serve: Serve) -> None:
    settings = {"environment": {"TOKEN": "one"}}
    authentication = {"type": "digest", "username": "ada", "password": "{{env.TOKEN}}"}
    async with serve(READ, settings=settings, authentication=authentication) as client:
        exposer = client.served.host.status()[0].exposer
        assert isinstance(exposer, A2aExposer)
        agent = exposer._agent
        assert agent is not None
        task = (await agent.send_message({"message": new_message(call_part("read"))}, "ada"))["task"]
        assert (await agent.get_task({"id": task["id"]}, "ada"))["id"] == task["id"]
        assert (await agent.list_tasks({}, "ada"))["totalSize"] == 1
        assert (await agent.list_tasks({}, "bob"))["totalSize"] == 0
        for method in (agent.get_task, agent.cancel_task):
            with pytest.raises(TaskNotFoundError):
                await method({"id": task["id"]}, "bob")
        with pytest.raises(TaskNotFoundError):
            agent.subscribe({"id": task["id"]}, "bob")
        with pytest.raises(TaskNotFoundError):
            await agent.send_message({"message": {**new_message({"text": "x"}), "taskId": task["id"]}}, "bob")


async def test_known_callers_see_their_tasks(serve: Serve) -> None:
    authentication = {"type": "basic", "username": "ada", "password": "{{env.TOKEN}}"}
    headers = {"Authorization": encode_basic_auth("ada", "one")}
    async with serve(READ, settings={"environment": {"TOKEN": "one"}}, authentication=authentication) as client:
        body = {"message": new_message(call_part("read"))}
        task = (await client.send("POST", "/message:send", json=body, headers=headers)).json["task"]
        listed = (await client.send("GET", "/tasks", headers=headers)).json["tasks"]
    assert [each["id"] for each in listed] == [task["id"]]


async def test_task_that_needs_input_can_be_cancelled(serve: Serve) -> None:
    async with serve(READ) as client:
        task = await client.start({"text": "hello"})
        cancelled = (await client("CancelTask", {"id": task["id"]})).result
        assert cancelled["status"]["state"] == "TASK_STATE_CANCELED"
        assert (await client("CancelTask", {"id": task["id"]})).error["code"] == -32002


async def test_too_many_tasks_in_progress(serve: Serve) -> None:
    async with serve(READ, maxTasks=1) as client:
        hold = client.api.hold("read")
        await client.start(call_part("read"), returnImmediately=True)
        await hold.entered.wait()
        response = await client("SendMessage", {"message": new_message(call_part("read"))})
        assert response.error["code"] == -32000
        response = await client.send("POST", "/message:send", json={"message": new_message(call_part("read"))})
        assert response.status == 503
        hold.release.set()


async def test_stop_cancels_tasks_without_a_client(serve: Serve) -> None:
    async with serve(READ) as client:
        hold = client.api.hold("read")
        await client.start(call_part("read"), returnImmediately=True)
        await hold.entered.wait()
        exposer = client.served.host.status()[0].exposer
        await exposer.stop()
        assert hold.cancelled.is_set()


async def test_events_of_the_api_are_parts(serve: Serve) -> None:
    class Events:
        def __init__(self) -> None:
            self.chunks = [b'data: {"n":1}\n\n', b": comment\n\ndata: two\n\n"]
            self.is_closed = False

        def __aiter__(self) -> Events:
            return self

        async def __anext__(self) -> bytes:
            if not self.chunks:
                raise StopAsyncIteration
            return self.chunks.pop(0)

        async def aclose(self) -> None:
            self.is_closed = True

    document = {"name": "read", "method": "GET"}
    async with serve(READ, [document]) as client:
        events = Events()
        client.api.responses["read"] = lambda _: Result(stream=events, media_type="text/event-stream")
        response = await client("SendStreamingMessage", {"message": new_message(call_part("read"))})
        updates = [
            event["result"]["artifactUpdate"] for event in response.events if "artifactUpdate" in event["result"]
        ]
    assert [(update["append"], update["artifact"]["parts"]) for update in updates] == [
        (False, [{"data": {"n": 1}, "mediaType": "application/json"}]),
        (True, [{"text": "two", "mediaType": "text/plain"}]),
    ]
    assert events.is_closed


async def test_tasks_outlive_a_reload(document: Document, tmp_path: Path) -> None:
    path = tmp_path / "capability.yaml"
    path.write_bytes(orjson.dumps(document(READ)))
    async with running(path) as served, ClientSession(headers={"A2A-Version": "1.0"}) as session:
        url = served.url("front")

        async def send(method: str, path: str, **sent: Any) -> Any:
            async with session.request(method, f"{url}{path}", **sent) as response:
                return await response.json()

        task = (await send("POST", "/message:send", json={"message": new_message(call_part("read", id=7))}))["task"]
        path.write_bytes(orjson.dumps(document(READ, description="Changed")))
        await served.host.reload()
        assert (await send("GET", f"/tasks/{task['id']}"))["id"] == task["id"]


def test_duplicate_skills_are_errors(document: Document) -> None:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    with pytest.raises(ProblemsError, match="duplicate skill 'read'; rename one of them"):
        Host(document([*READ, *READ], READ), plugins=plugins, settings=Settings(environment={}))


async def test_each_stream_receives_all_events(serve: Serve) -> None:
    async with serve(READ) as client, AsyncExitStack() as stack:
        hold = client.api.hold("read")
        task = await client.start(call_part("read", id=7), returnImmediately=True)
        path = f"/tasks/{task['id']}:subscribe"
        streams = [await stack.enter_async_context(client.stream(path)) for _ in range(3)]
        assert [set(await anext(events)) for events in streams] == [{"task"}] * 3
        hold.release.set()
        found = [[set(event) async for event in events] for events in streams]
    assert found == [[{"artifactUpdate"}, {"statusUpdate"}]] * 3
