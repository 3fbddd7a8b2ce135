"""Settings of plugins: from a file and from options, parsed by the plugins' models."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import orjson
from pydantic import ValidationError

from adapter_host.capability.model import Model, known_keys, walk
from adapter_host.capability.validation_errors import located_problems
from adapter_host.document.messages import did_you_mean, join_words
from adapter_host.document.source import Loc, Source
from adapter_host.errors import Problem, ProblemsError
from adapter_host.settings import Settings

ModelT = TypeVar("ModelT", bound=Model)


class SettingValues(dict[str, Any]):
    """The settings of one plugin, with the document that they are from, and the keys that are texts of options."""

    def __init__(
        self, values: Mapping[str, Any] = {}, source: Source | None = None, texts: Collection[str] = ()
    ) -> None:
        super().__init__(values)
        self.source = source
        self.texts = frozenset(texts)


def plugin_settings(settings: Settings, plugin: str, model: type[ModelT]) -> ModelT:
    """Return the settings of a plugin, parsed by the model that it registers; raise `ProblemsError`."""
    return parse_settings(plugin, model, settings.plugins.get(plugin, {}))


def parse_settings(plugin: str, model: type[ModelT], values: Mapping[str, Any]) -> ModelT:
    """Return the settings of a plugin; raise `ProblemsError` with all of their problems.

    The text of an option that is invalid as it is, is parsed as JSON.
    """
    given = values if isinstance(values, SettingValues) else SettingValues(values)
    data = dict(given)
    try:
        return _validate(plugin, model, data, given)
    except ProblemsError:
        if not any(_parse_texts(data[key]) != data[key] for key in given.texts):
            raise
    for key in given.texts:
        if not _is_valid_alone(model, key, data[key]):
            data[key] = _parse_texts(data[key])
    return _validate(plugin, model, data, given)


def _validate(plugin: str, model: type[ModelT], data: Mapping[str, Any], given: SettingValues) -> ModelT:
    loc: Loc = ("plugins", plugin)
    source = Source.from_data({"plugins": {plugin: data}}, "")
    try:
        parsed = model.model_validate(data)
    except ValidationError as error:
        problems = located_problems(error, source, loc)
        raise ProblemsError(_placed(problem, place, given) for problem, place in problems) from None
    unknown = [
        (Problem(f"unknown key '{name}'{_hint(name, type(section))}", code="unknown-key"), (*section_loc, name))
        for section, section_loc in walk(parsed, loc)
        for name in section.model_extra or ()
    ]
    if unknown:
        raise ProblemsError(_placed(problem, place, given, key=True) for problem, place in unknown)
    return parsed


def _hint(name: str, model: type[Model]) -> str:
    known = known_keys(model)
    return did_you_mean(name, known) or f" (known: {join_words(known, 'and') or 'none'})"


def _placed(problem: Problem, loc: Loc, given: SettingValues, *, key: bool = False) -> Problem:
    """Return a problem with the file or the option that its setting is from."""
    message = problem.message.removeprefix(f"{'.'.join(map(str, loc))}: ")
    if given.source is not None and not (len(loc) > 2 and loc[2] in given.texts):
        file, line, column = given.source.position_of(loc, key=key)
        return replace(problem, message=message, file=file, line=line, column=column)
    setting = ".".join(map(str, loc[1:]))
    if len(loc) > 2 and loc[2] in given.texts:
        return Problem(f"--plugin-setting {setting}: {message}", code=problem.code)
    return Problem(f"settings of plugin '{loc[1]}': {message}", code=problem.code)


def _is_valid_alone(model: type[Model], key: str, value: Any) -> bool:
    try:
        model.model_validate({key: value})
    except ValidationError as error:
        return not any(detail["loc"][:1] == (key,) and detail["type"] != "missing" for detail in error.errors())
    return True


def _parse_texts(value: Any) -> Any:
    """Return a value with each text in it parsed as JSON, if it is JSON."""
    if isinstance(value, dict):
        return {key: _parse_texts(child) for key, child in value.items()}
    try:
        return orjson.loads(value)
    except (orjson.JSONDecodeError, TypeError):
        return value


def settings_problems(
    values: Mapping[str, Mapping[str, Any]], known: Collection[str], models: Mapping[str, type[Model] | None]
) -> list[Problem]:
    """Return the problems of the settings of plugins; `models` are those of the plugins that could be imported."""
    problems: list[Problem] = []
    for name, settings in values.items():
        given = settings if isinstance(settings, SettingValues) else SettingValues(settings)
        loc: Loc = ("plugins", name)
        if name not in known:
            hint = did_you_mean(name, known) or f" (known: {', '.join(sorted(known)) or 'none'})"
            problems.append(_placed(Problem(f"unknown plugin '{name}'{hint}", code="unknown-plugin"), loc, given))
        elif name in models and (model := models[name]) is None:
            message = f"plugin '{name}' has no settings; remove them"
            problems.append(_placed(Problem(message, code="unknown-key"), loc, given))
        elif name in models and model is not None:
            try:
                parse_settings(name, model, given)
            except ProblemsError as error:
                problems += error.problems
    return problems
