"""Checks Python scripts with Monty: reads a JSON list of texts, and writes the error of each, or null.

It runs in a separate process because Monty starts threads, and a host may fork after it has loaded a document. It is
started as a file and does not import its package, which would dominate its start-up time.
"""

from __future__ import annotations

import json
import sys

from pydantic_monty import Monty, MontyError, MontyRuntimeError, MontySyntaxError


def find_error(pool: Monty, text: str) -> dict[str, object] | None:
    """Return the error of a script, or None; the script is parsed, but not run."""
    try:
        with pool.checkout() as session:
            session.feed_run(f"raise ValueError\n{text}")
    except (MontySyntaxError, MontyRuntimeError) as error:
        message, frames = error.display("type-msg"), error.traceback()
        if message == "ValueError":
            return None
        return {"message": message, "line": max(frames[-1].line - 1, 1) if frames else 1}
    except MontyError as error:
        return {"message": str(error), "line": 1}
    raise AssertionError


def main() -> None:
    """Check all scripts."""
    with Monty(max_processes=1) as pool:
        print(json.dumps([find_error(pool, text) for text in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
