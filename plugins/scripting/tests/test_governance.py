"""Tests of `management.scripting` and its changes at runtime."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import Host, Plugins, ProblemsError, StepType, UnavailableError
from adapter_host.testing import Running, running

from .conftest import Serve, Write, build_document, get


def steps_of(served: Running) -> StepType[Any]:
    (steps,) = served.host.step_types["script"]
    return steps


def without_defaults(step: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in step.items() if key not in ("language", "location")}


async def test_defaults_of_management_scripting(serve: Serve, write: Write, tmp_path: Path) -> None:
    scripting = {"defaultLanguage": "python", "defaultLocation": (tmp_path / "scripts").as_uri()}
    bare = without_defaults(write("result = 1", "python"))
    async with serve(bare, scripting=scripting) as served:
        assert (await served.host.call("front.run")).data == 1
        assert {**steps_of(served).status(), "stats": None} == {
            "enabled": True,
            "defaultLocation": scripting["defaultLocation"],
            "defaultLanguage": "python",
            "timeout": 60_000,
            "statementLimit": 100_000,
            "allowedLanguages": None,
            "stats": None,
        }


def test_language_that_is_not_allowed(script_plugins: Plugins, write: Write, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ProblemsError) as caught:
        Host(build_document(write("1"), scripting={"allowedLanguages": ["python"]}), plugins=script_plugins)
    problem = caught.value.problems[0]
    assert problem.code == "disallowed"
    assert problem.message == snapshot


async def test_disabled_scripts_do_not_run(serve: Serve, write: Write, snapshot: SnapshotAssertion) -> None:
    async with serve(write("result = 1", "python"), scripting={"enabled": False}) as served:
        status, problem = await get(served)
        assert status == 503
        assert problem["detail"] == snapshot
        assert steps_of(served).status()["stats"]["totalExecutions"] == 0
        steps_of(served).adjust({"enabled": True})
        assert await get(served) == (200, 1)
        steps_of(served).adjust({"enabled": False})
        assert (await get(served))[0] == 503


async def test_statistics(serve: Serve, write: Write) -> None:
    async with serve(write("result = 1 / int(context['a'])", "python")) as served:
        assert steps_of(served).status()["stats"] == {
            "totalExecutions": 0,
            "totalErrors": 0,
            "averageDurationMs": 0.0,
            "lastExecutionAt": None,
        }
        for divisor in ("1", "0", "2"):
            await get(served, a=divisor)
        stats = steps_of(served).status()["stats"]
        assert (stats["totalExecutions"], stats["totalErrors"]) == (3, 1)
        assert stats["averageDurationMs"] > 0
        assert datetime.fromisoformat(stats["lastExecutionAt"]).tzinfo is not None


async def test_changed_limits_apply_to_the_next_call(serve: Serve, write: Write) -> None:
    text = "n = 0\nwhile n < 1000:\n    n += 1\nresult = n"
    async with serve(write(text, "python")) as served:
        assert await get(served) == (200, 1000)
        steps_of(served).adjust({"statementLimit": 100})
        assert "statementLimit of 100 " in (await get(served))[1]["detail"]
        steps_of(served).adjust({"statementLimit": 10_000, "timeout": 5000})
        assert await get(served) == (200, 1000)
        steps_of(served).adjust({"allowedLanguages": ["javascript"]})
        with pytest.raises(UnavailableError, match="'python'"):
            await served.host.call("front.run")
        steps_of(served).adjust({"allowedLanguages": None})
        assert await get(served) == (200, 1000)


async def test_changed_defaults_reload_scripts(serve: Serve, write: Write, tmp_path: Path) -> None:
    bare = without_defaults(write("result = 'one'", "python"))
    explicit = write("result = [context['main'], 'mine']", "python", "mine")
    other = tmp_path / "other"
    other.mkdir()
    (other / "main.py").write_text("result = 'two'")
    one = (tmp_path / "scripts").as_uri()
    scripting = {"defaultLanguage": "python", "defaultLocation": one}
    async with serve(bare, explicit, scripting=scripting) as served:
        assert await get(served) == (200, ["one", "mine"])
        steps_of(served).adjust({"defaultLocation": other.as_uri()})
        assert await get(served) == (200, ["two", "mine"])
        with pytest.raises(ValueError, match=r"step 'main': .*'main\.py'"):
            steps_of(served).adjust({"defaultLocation": (tmp_path / "none").as_uri(), "timeout": 5})
        (other / "main.py").write_text("result = ")
        with pytest.raises(ValueError, match=r"main\.py:1: "):
            steps_of(served).adjust({"defaultLocation": other.as_uri()})
        assert steps_of(served).status()["timeout"] == 60_000
        assert await get(served) == (200, ["two", "mine"])
        (other / "main.py").write_text("result = 'three'")
        steps_of(served).adjust({"defaultLanguage": "javascript"})
        assert await get(served) == (200, ["three", "mine"])


async def test_control_endpoint(write: Write) -> None:
    document = build_document(write("result = 1", "python"), scripting={"timeout": 5000})
    document["capability"]["exposes"][-1] |= {"port": 0, "address": "127.0.0.1"}
    async with running(document, plugins=Plugins.installed()) as served, aiohttp.ClientSession() as session:
        await get(served)
        url = f"{served.url('control')}/scripting"
        async with session.get(url) as response:
            shown = await response.json()
            assert (shown["timeout"], shown["stats"]["totalExecutions"]) == (5000, 1)
        async with session.put(url, json={"enabled": False}) as response:
            assert (response.status, (await response.json())["enabled"]) == (200, False)
        assert (await get(served))[0] == 503
        async with session.put(url, json={"timeout": 0}) as response:
            assert response.status == 400
            assert "'timeout': Input should be greater than or equal to 1" in await response.text()


async def test_control_endpoint_without_a_script() -> None:
    scripting = {"timeout": 3000, "allowedLanguages": ["javascript"], "defaultLocation": "file:///app/scripts"}
    control = {"type": "control", "address": "127.0.0.1", "port": 0, "management": {"scripting": scripting}}
    document = {"ikanos": "1.0.0-beta5", "capability": {"exposes": [control]}}
    async with running(document, plugins=Plugins.installed()) as served, aiohttp.ClientSession() as session:
        url = f"{served.url('control')}/scripting"
        async with session.get(url) as response:
            shown = await response.json()
            assert response.status == 200
            assert shown.items() > scripting.items()
            assert shown["stats"]["totalExecutions"] == 0
        async with session.put(url, json={"timeout": 5}) as response:
            assert (response.status, (await response.json())["timeout"]) == (200, 5)
        async with session.put(url, json={"timeout": 0}) as response:
            assert response.status == 400
        async with session.get(url) as response:
            assert (await response.json())["timeout"] == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timeout": 0}, "'timeout': Input should be greater than or equal to 1"),
        ({"timeout": "5"}, "'timeout': Input should be a valid integer"),
        ({"statementLimit": 1.5}, "'statementLimit': "),
        ({"enabled": "yes"}, "'enabled': Input should be a valid boolean"),
        ({"enabled": None}, "'enabled': "),
        ({"defaultLanguage": "ruby"}, "'defaultLanguage': Input should be 'javascript', 'python' or 'groovy'"),
        ({"defaultLocation": "scripts"}, "'defaultLocation': String should match pattern"),
        ({"allowedLanguages": ["ruby"]}, "'allowedLanguages': "),
        ({"allowedLanguages": "python"}, "'allowedLanguages': "),
        ({"timout": 5}, "unknown key 'timout' (known: enabled, "),
    ],
)
async def test_invalid_changes(script_plugins: Plugins, write: Write, changes: dict[str, Any], message: str) -> None:
    host = Host(build_document(write("result = 1", "python")), plugins=script_plugins)
    (steps,) = host.step_types["script"]
    before = steps.status()
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        steps.adjust({"statementLimit": 5, **changes})
    assert str(caught.value).startswith(message)
    assert steps.status() == before
