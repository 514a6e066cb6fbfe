# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's API for modules: one question, one answer, every failure a sentence; private to this collection."""

from __future__ import annotations

import json
import re
import time
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode

from ansible.module_utils.urls import ConnectionError as UrlConnectionError
from ansible.module_utils.urls import SSLValidationError, open_url

_MISSING = 404
_LOOK_SECONDS = 1.0


class Client:
    """Asks the server in the name of a person's token."""

    def __init__(self, module):
        self._module = module
        self._given = module.params
        self._replayed = False
        for name in ("api_url", "api_token"):
            if not self._given[name]:
                variable = {"api_url": "PATCHMON_URL", "api_token": "PATCHMON_TOKEN"}[name]
                module.fail_json(msg=f"{name} is missing: give it, or set {variable}.")
        self._base = self._given["api_url"].rstrip("/") + "/api/v1"

    def ask(self, method, path, body=None, key=""):
        """Return the server's answer; a refusal ends the module."""
        return self._sent(method, path, body, key)[1]

    def once(self, path, body, key):
        """Return whether this was done before under the same key, and the answer."""
        answer = self.ask("POST", path, body, key)
        return self._replayed, answer

    def find(self, path):
        """Return the answer, or nothing when the server knows no such thing."""
        status, answer = self._sent("GET", path, may_miss=True)
        return None if status == _MISSING else answer

    def _sent(self, method, path, body=None, key="", may_miss=False):
        headers = {"Authorization": f"Bearer {self._given['api_token']}", "Accept": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = self._base + path
        try:
            answer = open_url(
                url,
                method=method,
                data=None if body is None else json.dumps(body),
                headers=headers,
                timeout=self._given["api_timeout_seconds"],
                validate_certs=self._given["verify_ssl"],
                ca_path=self._given["ca_path"],
                http_agent="patchmon.fleet",
            )
            text = answer.read()
            self._replayed = answer.headers.get("Idempotent-Replayed") == "true"
            return answer.status, json.loads(text) if text else {}
        except HTTPError as error:
            if may_miss and error.code == _MISSING:
                return error.code, None
            self._module.fail_json(msg=f"The server refused {method} {path}: {_said(error)}", status=error.code)
        except SSLValidationError as error:
            self._module.fail_json(msg=f"The certificate of {url} is not trusted: {error}")
        except (URLError, UrlConnectionError, OSError) as error:
            self._module.fail_json(msg=f"{self._base} cannot be reached: {getattr(error, 'reason', error)}")
        except ValueError:
            self._module.fail_json(msg=f"{url} did not answer with JSON: is api_url the PatchMon server?")
        return 0, None

    # -------------------------------------------------------------------------------------------- things by name

    def host(self, name, needed=True):
        """Return a host by its friendly name or id."""
        found = self.ask("GET", f"/dashboard/hosts?{urlencode({'search': name, 'limit': 200})}")["items"]
        match = [one for one in found if name in (one["friendly_name"], one["id"])]
        if len(match) > 1:
            self._module.fail_json(msg=f"Several hosts are called {name}: give the id.")
        if match:
            return self.ask("GET", f"/hosts/{match[0]['id']}")
        # Ids are not among what the search looks at.
        host = self.find(f"/hosts/{quote(name, safe='')}") if _is_id(name) else None
        if host is None and needed:
            self._module.fail_json(msg=f"No host is called {name}.")
        return host

    def group_ids(self, names):
        """Return the ids of groups that are given by name or id."""
        known = self.ask("GET", "/host-groups")
        found = []
        for name in names:
            match = [one["id"] for one in known if name in (one["name"], one["id"])]
            if not match:
                self._module.fail_json(msg=f"No host group is called {name}.")
            found.append(match[0])
        return found

    def named(self, path, name, field="name"):
        """Return the one of a list that has this name, or nothing."""
        match = [one for one in self.ask("GET", path) if name in (one[field], one["id"])]
        if len(match) > 1:
            self._module.fail_json(msg=f"Several are called {name}: give the id.")
        return match[0] if match else None

    def until(self, path, over, seconds):
        """Return the answer once it is over; ends the module when that takes too long."""
        ends = time.monotonic() + seconds
        while True:
            answer = self.ask("GET", path)
            if over(answer):
                return answer
            if time.monotonic() > ends:
                self._module.fail_json(msg=f"It was not over after {seconds} seconds.", last=answer)
            time.sleep(_LOOK_SECONDS)


def settle(module, before, after, act, **more):
    """End the module: nothing to do, or ``act`` unless it only looks; ``before`` and ``after`` make the diff."""
    changed = before != after
    result = act() if changed and not module.check_mode else None
    diff = {"before": _shown(before), "after": _shown(after)}
    module.exit_json(changed=changed, diff=diff, **more, **(result or {}))


def _shown(state):
    return json.dumps(state, indent=2, sort_keys=True) + "\n" if state else ""


def _is_id(text):
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None


def _said(error):
    try:
        body = json.loads(error.read())
        complaints = "; ".join(f"{name} {text}" for name, text in (body.get("complaints") or {}).items())
        said = ": ".join(str(body[name]) for name in ("error", "message") if body.get(name))
        return f"{error.code} {said} {complaints}".strip()
    except (ValueError, OSError, AttributeError, TypeError):
        return f"{error.code} {error.reason}"
