"""The filters of JSONPath: `match`, `search` and `=~` (RFC 9535), with regular expressions in linear time.

Their patterns are I-Regexps (RFC 9485), or of ECMA 262. They must be literals, so that they are compiled once.
"""

from __future__ import annotations

import re
from typing import Any, Final

from jsonpath import JSONPathEnvironment, JSONPathSyntaxError
from jsonpath.filter import RegexLiteral, StringLiteral
from jsonpath.function_extensions import ExpressionType, FilterFunction
from jsonpath.parse import Parser
from jsonpath.stream import TokenStream
from jsonpath.token import TOKEN_RE_FLAGS, Token

from adapter_host.errors import UpstreamInvalidError

from .pattern import Pattern, PatternError, compile_pattern

_DOT: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|(\.)", re.DOTALL)


def _find(pattern: Pattern, value: object) -> bool:
    if not isinstance(value, str):
        return False
    if len(value) > pattern.longest:
        raise UpstreamInvalidError("a text is too long for the pattern of a JSONPath filter")
    return pattern.matches(value)


def _i_regexp(text: str) -> str:
    """Return an I-Regexp in ECMA 262, where a dot matches fewer characters (RFC 9485 section 5.3)."""
    return _DOT.sub(lambda match: r"[^\n\r]" if match[1] else match[0], text)


def _compile_whole(text: str) -> Pattern:
    """Compile a pattern that must match a whole text."""
    # By itself first: the group around it must not close one of its own, as in `a)|(b`.
    compile_pattern(text)
    return compile_pattern(f"^(?:{text})$")


class _RegexFunction(FilterFunction):
    """`search`, or with `whole` `match`."""

    arg_types: Final = [ExpressionType.VALUE, ExpressionType.VALUE]
    return_type = ExpressionType.LOGICAL

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole

    def compile(self, text: str) -> Pattern:
        """Return the pattern of an argument; raise `PatternError`."""
        return _compile_whole(_i_regexp(text)) if self._whole else compile_pattern(_i_regexp(text))

    def __call__(self, value: object, pattern: str) -> bool:
        return _find(self.compile(pattern), value)


class _RegexOperand:
    """The right side of `=~`, with the method that the environment calls."""

    def __init__(self, text: str, *, ignore_case: bool) -> None:
        self.pattern = text
        self.flags = re.IGNORECASE if ignore_case else 0
        compile_pattern(text)
        self._compiled = _compile_whole(f"(?i:{text})" if ignore_case else text)

    def fullmatch(self, value: str) -> bool:
        return _find(self._compiled, value)


class _Parser(Parser):
    def parse_regex(self, stream: TokenStream) -> RegexLiteral:
        token = stream.current()
        flags = ""
        if stream.peek().kind == TOKEN_RE_FLAGS:
            stream.next()
            flags = stream.next().value
        if unknown := set(flags) - {"a", "i"}:
            raise JSONPathSyntaxError(f"the flag '{min(unknown)}' of a pattern is not supported", token=token)
        try:
            operand: Any = _RegexOperand(token.value, ignore_case="i" in flags)
        except PatternError as error:
            raise JSONPathSyntaxError(str(error), token=token) from None
        return RegexLiteral(value=operand)


class FilterEnvironment(JSONPathEnvironment):
    """A JSONPath environment whose patterns are compiled with the path."""

    parser_class = _Parser

    def setup_function_extensions(self) -> None:
        """Replace the functions that match patterns with Python's `re`."""
        super().setup_function_extensions()
        self.function_extensions["match"] = _RegexFunction(whole=True)
        self.function_extensions["search"] = _RegexFunction(whole=False)

    def validate_function_extension_signature(self, token: Token, args: list[Any]) -> list[Any]:
        """Check the arguments of a function, and the pattern of `match` and `search`."""
        args = super().validate_function_extension_signature(token, args)
        function = self.function_extensions[token.value]
        if isinstance(function, _RegexFunction):
            if not isinstance(args[1], StringLiteral):
                raise JSONPathSyntaxError(f"the pattern of {token.value}() must be a text in quotes", token=token)
            try:
                function.compile(args[1].value)
            except PatternError as error:
                raise JSONPathSyntaxError(str(error), token=token) from None
        return args
