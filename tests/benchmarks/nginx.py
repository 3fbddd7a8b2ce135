"""nginx as the upstream API, and as the reference reverse proxy."""

from __future__ import annotations

import grp
import json
import os
import pwd
from pathlib import Path
from typing import Final

from .machine import found
from .workload import RESPONSE, TOKEN

_CONFIGURATION: Final = """
daemon off;
user {user};
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  default_type application/json;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {servers}
}}
"""
_API: Final = """
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location = /orders {{
      if ($http_authorization != "Bearer {token}") {{ return 401; }}
      return 200 '{response}';
    }}
    location /files/ {{ root {folder}; }}
  }}
"""
_PROXY: Final = """
  upstream api {{ server 127.0.0.1:{upstream}; keepalive 128; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://api;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer {token}";
    }}
  }}
"""


def api(folder: Path, port: int) -> list[str]:
    """Return the command that serves orders, and the files of a folder."""
    server = _API.format(port=port, token=TOKEN, response=json.dumps(RESPONSE), folder=folder)
    return _command(folder, "api", server)


def proxy(folder: Path, port: int, upstream: int) -> list[str]:
    """Return the command that proxies requests with the credential."""
    return _command(folder, "proxy", _PROXY.format(port=port, upstream=upstream, token=TOKEN))


def _command(folder: Path, name: str, servers: str) -> list[str]:
    own = folder / f"nginx-{name}"
    own.mkdir()
    configuration = own / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=own, servers=servers, user=_user()))
    return [found("nginx") or "nginx", "-e", "stderr", "-c", str(configuration)]


def _user() -> str:
    # If started by root, nginx would run as a user that cannot read these files.
    return f"{pwd.getpwuid(os.getuid()).pw_name} {grp.getgrgid(os.getgid()).gr_name}"
