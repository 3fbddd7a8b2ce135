"""Skills as resources of an MCP exposer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from adapter_host import (
    Arguments,
    BuildContext,
    ExposerConfig,
    Input,
    LocatedFile,
    Location,
    NotFoundError,
    Operation,
    OperationSpec,
    Result,
    did_you_mean,
    guess_media_type,
)
from adapter_host_mcp.features.resources import Resource
from adapter_host_mcp.uri_templates import file_uri, parse_uri, path_in_folder

from .manifest import Manifest, check_limits, checked_frontmatter, make_manifest, read_skill_file
from .skill_file import SKILL_FILE, InvalidSkillError, is_skill_name, write_skill_file

if TYPE_CHECKING:
    from adapter_host_mcp.config import McpConfig

log = logging.getLogger("adapter_host.mcp")

EXTENSION: Final = "io.modelcontextprotocol/skills"

SETTINGS: Final = {"directoryRead": True}
"""What a server declares for the extension."""

DIRECTORY_TYPE: Final = "inode/directory"

_PATH: Final = Input("path", "string", description="The path of a file of the skill")
_BYTES: Final = "application/octet-stream"


@dataclass(slots=True, eq=False)
class _Cache:
    """The manifest of the files as they were last seen, or why there is none."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    files: Sequence[LocatedFile] | None = None
    manifest: Manifest | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SkillFiles(Resource):
    """The files of one skill; of these, `resources/list` has `SKILL.md`."""

    location: Location | None
    generated: bytes
    cache: _Cache

    @property
    def uri_of_skill(self) -> str:
        """The URI of `SKILL.md`, which identifies the skill."""
        return file_uri(self.uri.text, SKILL_FILE)

    def media_type(self, result: Result) -> str:
        return result.media_type.partition(";")[0]

    def match(self, uri: str) -> Arguments | None:
        path = path_in_folder(self.uri.text, uri)
        return None if path is None else {"path": path}

    async def entries(self) -> list[dict[str, Any]]:
        manifest = await self.manifest()
        return [] if manifest is None else [self.entry(manifest, SKILL_FILE)]

    async def manifest(self) -> Manifest | None:
        """Return the manifest, from the last time if no file has changed; None while clients would refuse the skill."""
        # Concurrent requests share one reading.
        async with self.cache.lock:
            files: list[LocatedFile] = []
            if self.location is not None:
                files = await self.location.in_thread(self.location.files)
            if self.cache.files != files:
                self.cache.manifest = await self._make(files)
                self.cache.files = files
            return self.cache.manifest

    async def _make(self, files: Sequence[LocatedFile]) -> Manifest | None:
        try:
            if self.location is None:
                return make_manifest(self.name, files, None, self.generated)
            return await self.location.in_thread(make_manifest, self.name, files, self.location, self.generated)
        except InvalidSkillError as error:
            log.warning("skill '%s' is not served over MCP: %s", self.name, error)
            return None

    async def skill(self) -> dict[str, Any] | None:
        """Return the entry for `skills/list`; None while clients would refuse the skill."""
        manifest = await self.manifest()
        if manifest is None:
            return None
        resources = [
            {"uri": file_uri(self.uri.text, file.path), "digest": file.digest, "size": file.size}
            for file in manifest.files.values()
        ]
        return {"uri": self.uri_of_skill, "frontmatter": manifest.frontmatter, "resources": resources}

    async def directory(self, uri: str) -> list[dict[str, Any]] | None:
        """Return the entries of a directory of the skill; None if it has no such directory."""
        path = "" if uri == self.uri.text else path_in_folder(self.uri.text, uri)
        manifest = None if path is None else await self.manifest()
        children = None if path is None or manifest is None else manifest.children(path)
        if manifest is None or children is None:
            return None
        return [
            self.directory_entry(child) if file is None else self.entry(manifest, child)
            for child, file in children.items()
        ]

    def entry(self, manifest: Manifest, path: str) -> dict[str, Any]:
        """Return the members of a file for lists of resources."""
        size = manifest.files[path].size
        members = {"uri": file_uri(self.uri.text, path), "mimeType": guess_media_type(path) or _BYTES, "size": size}
        if path == SKILL_FILE:
            return {**members, "name": self.name, "description": manifest.frontmatter["description"]}
        return {**members, "name": path.rpartition("/")[2]}

    def directory_entry(self, path: str = "") -> dict[str, Any]:
        """Return the members of a directory for lists of resources, by default of that of the skill."""
        uri = file_uri(self.uri.text, path) if path else self.uri.text
        return {"uri": uri, "name": path.rpartition("/")[2] or self.name, "mimeType": DIRECTORY_TYPE}

    async def read(self, arguments: Arguments) -> Result:
        """Return the content of a file of the manifest."""
        path = str(arguments["path"])
        manifest = await self.manifest()
        if manifest is None or path not in manifest.files:
            raise NotFoundError("file not found")
        try:
            if self.location is None:
                return _content(path, self.generated)
            return _content(path, await self.location.in_thread(read_skill_file, path, self.location, self.generated))
        except InvalidSkillError:  # changed since the manifest was made
            raise NotFoundError("file not found") from None


def _content(path: str, body: bytes) -> Result:
    """Return the result of a file, as text only if clients get the same bytes from the text again."""
    try:
        is_exact = not body.decode().startswith("\ufeff")
    except UnicodeDecodeError:
        is_exact = False
    guessed = guess_media_type(path) or ("text/plain" if is_exact else _BYTES)
    return Result(body=body, media_type=f"{guessed}; charset=utf-8" if is_exact else _not_text(guessed))


def _not_text(media_type: str) -> str:
    return media_type if media_type.partition("/")[0] in ("image", "audio", "video", "font") else _BYTES


def prepare_skills(config: McpConfig, context: BuildContext) -> tuple[SkillFiles, ...]:
    """Build the skills of the exposers that `x-skills` names, and report invalid ones."""
    return tuple(_build_skills(config, context)) if config.x_skills else ()


def skills_extension(skills: Sequence[SkillFiles]) -> dict[str, Any]:
    """Return the extensions that a server with these skills declares."""
    return {EXTENSION: SETTINGS} if skills else {}


def _build_skills(config: McpConfig, context: BuildContext) -> Iterator[SkillFiles]:
    exposers = {each.namespace: each for each in context.loaded.capability.exposes if each.type == "skill"}
    for index, namespace in enumerate(config.x_skills):
        exposer = exposers.get(namespace)
        if exposer is None:
            hint = did_you_mean(namespace, exposers) or f" (known: {', '.join(exposers) or 'none'})"
            message = f"unknown exposer of type skill '{namespace}'{hint}"
            context.problem(message, config, "x-skills", index, code="unknown-namespace")
        elif namespace not in config.x_skills[:index]:
            _check_authentication(config, exposer, context, index)
            yield from _skills_of(exposer, context)


def _check_authentication(config: McpConfig, exposer: ExposerConfig, context: BuildContext, index: int) -> None:
    if getattr(exposer, "authentication", None) and not config.authentication and config.transport == "http":
        message = f"the skills of '{exposer.namespace}' need authentication there, and none here; set 'authentication'"
        context.problem(message, config, "x-skills", index, code="skills-without-authentication")


def _skills_of(exposer: ExposerConfig, context: BuildContext) -> Iterator[SkillFiles]:
    # The plugin of that exposer has the models, and reports what is wrong in them.
    for spec in getattr(exposer, "skills", ()):
        with context.section() as section:
            if not is_skill_name(spec.name):
                message = f"clients of MCP refuse the name {spec.name!r}; use at most 64 of a-z, 0-9 and single '-'"
                context.problem(message, spec, "name", code="skill-name")
            location = None if spec.location is None else context.location(spec.location, spec, "location")
        if section.skipped:
            continue
        skill = _build_skill(f"skill://{exposer.namespace}/{spec.name}", spec, location)
        if (reason := _find_fault(skill)) is not None:
            message = f"skill '{spec.name}' is not served over MCP: {reason}"
            context.warn(message, spec, "name", code="skill-not-served")
        yield skill


def _build_skill(uri: str, spec: Any, location: Location | None) -> SkillFiles:
    async def read(arguments: Arguments) -> Result:
        return await skill.read(arguments)

    operation = Operation(spec.name, spec.description, (_PATH,), read, OperationSpec(name=spec.name))
    template, generated, cache = parse_uri(uri), write_skill_file(spec), _Cache()
    description = spec.description
    # `read` needs the skill, which needs the operation with `read`.
    skill = SkillFiles(spec.name, None, description, None, template, operation, False, spec, location, generated, cache)
    return skill


def _find_fault(skill: SkillFiles) -> str | None:
    """Return why clients would refuse a skill as it is now, without the digests of its files."""
    try:
        files = [] if skill.location is None else skill.location.files()
        check_limits(files)
        checked_frontmatter(skill.name, read_skill_file(SKILL_FILE, skill.location, skill.generated))
    except InvalidSkillError as error:
        return str(error)
    return None
