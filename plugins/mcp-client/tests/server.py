"""An MCP server made with the official SDK; as a program it speaks over standard input and output."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import anyio
from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

PNG = b"\x89PNG\r\n\x1a\n"


class Forecast(BaseModel):
    """A forecast."""

    town: str
    highs: list[float]


class Station:
    """A server with its state: `held` calls wait for `release`."""

    def __init__(self) -> None:
        self.server = MCPServer("station", version="1.0")
        self.entered = asyncio.Event()
        self.release = asyncio.Event()
        self.cancelled = asyncio.Event()
        self._add_tools()
        self._add_documents()

    def _add_tools(self) -> None:
        server = self.server

        @server.tool()
        def forecast(town: str, days: int = 1) -> Forecast:
            """Returns the forecast of a town."""
            return Forecast(town=town, highs=[20.5] * days)

        @server.tool(structured_output=False)
        def say(text: str) -> str:
            """Returns a text."""
            return text

        @server.tool(structured_output=False)
        def draw() -> Image:
            """Draws the weather."""
            return Image(data=PNG, format="png")

        @server.tool(structured_output=False)
        def several() -> list[str | Image]:
            """Returns a text and a picture."""
            return ["sunny", Image(data=PNG, format="png")]

        @server.tool()
        def refuse(reason: str) -> str:
            """Fails."""
            raise ToolError(reason)

        @server.tool()
        async def hold(town: str) -> str:
            """Waits."""
            self.entered.set()
            try:
                await self.release.wait()
            except anyio.get_cancelled_exc_class():
                self.cancelled.set()
                raise
            return town

    def _add_documents(self) -> None:
        server = self.server

        @server.resource("docs://readme", name="readme", mime_type="text/markdown")
        def readme() -> str:
            """The manual."""
            return "# Station"

        @server.resource("docs://logo", name="logo", mime_type="image/png")
        def logo() -> bytes:
            return PNG

        @server.resource("docs://towns/{town}", name="town", mime_type="application/json")
        def town(town: str) -> str:
            return f'{{"town":"{town}"}}'

        @server.prompt()
        def greet(name: str) -> str:
            """Greets somebody."""
            return f"Hello, {name}!"

    def add_process_tools(self) -> None:
        """Add tools that look at the process, or end it."""

        @self.server.tool()
        def environment() -> dict[str, str]:
            return dict(os.environ)

        @self.server.tool()
        def process() -> list[int]:
            """Starts a child that outlives its parent, and returns the ids of both."""
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.DEVNULL)
            return [os.getpid(), child.pid]

        @self.server.tool()
        def crash() -> str:
            os._exit(3)


if __name__ == "__main__":
    station = Station()
    station.add_process_tools()
    station.server.run("stdio")
