"""Says whether Monty can run the Python scripts on standard input, a list of texts: what is wrong with each, or null.

It is started as a file, apart from the host: Monty has threads of its own, and a host may fork after it has loaded a
document. It imports nothing of its package, which would cost its start more than all it needs.
"""

from __future__ import annotations

import json
import sys

from pydantic_monty import Monty, MontyError, MontyRuntimeError, MontySyntaxError


def find_error(pool: Monty, text: str) -> dict[str, object] | None:
    """What keeps a script from being run; it is parsed, and what it would do is never reached."""
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
    """Answer for all of them."""
    with Monty(max_processes=1) as pool:
        print(json.dumps([find_error(pool, text) for text in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
