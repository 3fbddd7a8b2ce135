"""Entries of `exposes` in YAML, each with one operation that calls `api.a`."""

from __future__ import annotations


def rest(namespace: str, port: int, address: str = "localhost") -> str:
    operation = "{method: GET, name: a, call: api.a}"
    place = f"namespace: {namespace}, port: {port}, address: '{address}'"
    return f"{{type: rest, {place}, resources: [{{path: /a, operations: [{operation}]}}]}}"


def stdio(namespace: str) -> str:
    tool = "{name: a, description: Reads it, call: api.a}"
    return f"{{type: mcp, transport: stdio, namespace: {namespace}, tools: [{tool}]}}"


def echo(namespace: str, port: int) -> str:
    return f"{{type: echo, namespace: {namespace}, port: {port}, operations: [{{name: a, call: api.a}}]}}"
