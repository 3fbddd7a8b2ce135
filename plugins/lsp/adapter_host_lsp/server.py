"""The language server: the documents of an editor, and the methods of the protocol."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeVar

from lsprotocol import types
from pygls import uris
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from adapter_host import Completion, DocumentProblem, Fix, LanguageService, Plugins, Settings

from .debounce import Debouncer
from .positions import TextPositions

_log = logging.getLogger("adapter_host.lsp")

SOURCE: Final = "adapter-host"

_KINDS: Final = {
    "operation": types.CompletionItemKind.Function,
    "function": types.CompletionItemKind.Function,
    "namespace": types.CompletionItemKind.Module,
    "secret": types.CompletionItemKind.Variable,
    "input": types.CompletionItemKind.Variable,
    "key": types.CompletionItemKind.Property,
    "value": types.CompletionItemKind.EnumMember,
    "path": types.CompletionItemKind.Field,
}

ResultT = TypeVar("ResultT")


class CapabilityServer(LanguageServer):
    """A language server of capability files; it checks them in a thread, one at a time.

    Clients send complete texts: YAML has more kinds of line ends than the protocol, on which partial ones depend.
    """

    def __init__(self, plugins: Plugins, settings: Settings, delay: float) -> None:
        super().__init__(
            "adapter-host", version("adapter-host-lsp"), text_document_sync_kind=types.TextDocumentSyncKind.Full
        )
        self._service = LanguageService(plugins, settings=settings)
        self._delay = delay
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="adapter-host-lsp")
        self._debouncer: Debouncer | None = None
        self._checks: dict[str, asyncio.Task[None]] = {}
        self._waiting: set[str] = set()

    def changed(self, uri: str, *, at_once: bool = False) -> None:
        """Check a document after a pause, or at once, and the open documents that import it."""
        if self._debouncer is None:
            self._debouncer = Debouncer(self._delay, asyncio.get_running_loop().call_later)
        if at_once:
            self._debouncer.cancel(uri)
            self._start_check(uri)
        else:
            self._debouncer.schedule(uri, lambda: self._start_check(uri))

    def _start_check(self, uri: str) -> None:
        """Start a check, or have it follow the one that runs, however often it is requested until then."""
        if uri in self._checks:
            self._waiting.add(uri)
            return
        self._checks[uri] = asyncio.get_running_loop().create_task(self._check(uri))
        self._checks[uri].add_done_callback(lambda task: self._check_ended(uri, task))

    def _check_ended(self, uri: str, task: asyncio.Task[None]) -> None:
        del self._checks[uri]
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            _log.error("the check of %s failed", path_of(uri), exc_info=error)
        if uri in self._waiting:
            self._waiting.discard(uri)
            self._start_check(uri)

    async def _check(self, uri: str) -> None:
        others = [other for other in self.workspace.text_documents if other != uri]
        importing = await self.run(lambda service: [other for other in others if _imports(service, other, uri)])
        for checked in (uri, *importing):
            document = self.workspace.text_documents.get(checked)
            if document is not None:
                number, text = document.version, document.source
                found = await self.run(lambda service: service.problems(path_of(checked), text))  # noqa: B023
                if self.workspace.text_documents.get(checked) is document and document.version == number:
                    self._publish(document, found)

    def _publish(self, document: TextDocument, problems: Iterable[DocumentProblem]) -> None:
        positions = self.positions(document.source)
        diagnostics = [_diagnostic(problem, positions, path_of(document.uri)) for problem in problems]
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(document.uri, diagnostics, document.version)
        )

    async def forget(self, uri: str) -> None:
        """Forget a document, and its problems."""
        if self._debouncer is not None:
            self._debouncer.cancel(uri)
        await self.run(lambda service: service.forget(path_of(uri)))
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def positions(self, text: str) -> TextPositions:
        """Return the positions of a text in the negotiated units."""
        return TextPositions(text, self.workspace.position_encoding or types.PositionEncodingKind.Utf16)

    async def run(self, request: Callable[[LanguageService], ResultT]) -> ResultT:
        """Run a request of the language service in its thread, with the documents as they are now."""
        documents = list(self.workspace.text_documents.values())
        paths = {document.uri: Path(path_of(document.uri)) for document in documents if is_file(document.uri)}
        roots = [folder.uri for folder in self.workspace.folders.values()] or [self.workspace.root_uri or ""]
        folders = [Path(path_of(uri)) for uri in roots if is_file(uri)]
        texts = [(paths[document.uri], document.source) for document in documents if document.uri in paths]

        def run_request() -> ResultT:
            # Without a folder, the editor has opened single files.
            self._service.folders = folders or [path.parent for path in paths.values()]
            self._service.texts = {Path(os.path.realpath(path)): text for path, text in texts}
            return request(self._service)

        return await asyncio.get_running_loop().run_in_executor(self._thread, run_request)

    async def run_at(
        self, uri: str, position: types.Position, request: Callable[[LanguageService, str, str, int], ResultT]
    ) -> tuple[TextPositions, ResultT]:
        """Run a request at a position of a document, and return the positions of its text too."""
        text = self.workspace.get_text_document(uri).source
        positions = self.positions(text)
        offset = positions.offset(position)
        return positions, await self.run(lambda service: request(service, path_of(uri), text, offset))

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)


def is_file(uri: str) -> bool:
    """Return whether a URI is that of a file."""
    return bool(uri) and uris.to_fs_path(uri) is not None and uri.startswith("file:")


def path_of(uri: str) -> str:
    """Return the path of a file, or the URI of a document without one."""
    return (uris.to_fs_path(uri) or uri) if is_file(uri) else uri


def _imports(service: LanguageService, uri: str, imported: str) -> bool:
    files = {os.path.realpath(file) for file in service.files(path_of(uri))}
    return os.path.realpath(path_of(imported)) in files


def _diagnostic(problem: DocumentProblem, positions: TextPositions, file: str) -> types.Diagnostic:
    origin = problem.origin
    is_elsewhere = origin.file not in ("", file)
    return types.Diagnostic(
        positions.range(problem.start, problem.end),
        f"{origin.file}:{origin.line}:{origin.column}: {origin.message}" if is_elsewhere else origin.message,
        types.DiagnosticSeverity.Warning if origin.warning else types.DiagnosticSeverity.Error,
        origin.code,
        source=SOURCE,
    )


def completion_item(found: Completion, positions: TextPositions, order: int) -> types.CompletionItem:
    """Return a completion as the protocol has it, in the order of the service."""
    return types.CompletionItem(
        label=found.label or found.text,
        kind=_KINDS.get(found.kind, types.CompletionItemKind.Text),
        detail=found.detail or None,
        sort_text=f"{order:04}",
        filter_text=found.text,
        text_edit=types.TextEdit(positions.range(found.start, found.end), found.text),
    )


def build_server(plugins: Plugins, settings: Settings, delay: float) -> CapabilityServer:
    """Return a server with the methods of the protocol."""
    server = CapabilityServer(plugins, settings, delay)
    _add_synchronization(server)

    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[".", "{", "$", "[", ":", " "])
    )
    async def complete(params: types.CompletionParams) -> types.CompletionList:
        positions, found = await server.run_at(params.text_document.uri, params.position, LanguageService.complete)
        items = [completion_item(item, positions, order) for order, item in enumerate(found)]
        return types.CompletionList(is_incomplete=False, items=items)

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    async def define(params: types.DefinitionParams) -> list[types.Location]:
        _, found = await server.run_at(params.text_document.uri, params.position, LanguageService.definitions)
        return [
            types.Location(
                uris.from_fs_path(item.file) or item.file,
                server.positions(item.text).range(item.position, item.position),
            )
            for item in found
        ]

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(params: types.HoverParams) -> types.Hover | None:
        _, text = await server.run_at(params.text_document.uri, params.position, LanguageService.description)
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text)) if text else None

    _add_edits(server)
    return server


def _add_edits(server: CapabilityServer) -> None:
    kinds = types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, kinds)
    async def fix(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri = params.text_document.uri
        text = server.workspace.get_text_document(uri).source
        positions = server.positions(text)
        start, end = positions.offset(params.range.start), positions.offset(params.range.end)
        found = await server.run(lambda service: service.fixes(path_of(uri), text, start, end))
        return [_code_action(item, positions, uri) for item in found]

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    async def format_text(params: types.DocumentFormattingParams) -> list[types.TextEdit]:
        uri = params.text_document.uri
        text = server.workspace.get_text_document(uri).source
        changed = await server.run(lambda service: service.format(path_of(uri), text))
        if changed is None or changed == text:
            return []
        return [types.TextEdit(server.positions(text).range(0, len(text)), changed)]


def _code_action(fix: Fix, positions: TextPositions, uri: str) -> types.CodeAction:
    edits = [types.TextEdit(positions.range(edit.start, edit.end), edit.text) for edit in fix.edits]
    return types.CodeAction(
        fix.title,
        types.CodeActionKind.QuickFix,
        [_diagnostic(fix.problem, positions, path_of(uri))],
        is_preferred=fix.is_certain,
        edit=types.WorkspaceEdit({uri: edits}),
    )


def _add_synchronization(server: CapabilityServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        server.changed(params.text_document.uri, at_once=True)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        server.changed(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        server.changed(params.text_document.uri, at_once=True)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(params: types.DidCloseTextDocumentParams) -> None:
        await server.forget(params.text_document.uri)
