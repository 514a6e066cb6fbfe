# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection plugin agent: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: agent
short_description: Run tasks through the PatchMon agent of a host
version_added: 1.0.0
author:
  - The PatchMon contributors (@PatchMon)
description:
  - Carries commands and files through the PatchMon server to the agent of the host, over the connection that the agent
    itself opened. The host needs no SSH and no open port.
  - Commands run as the user of the agent, usually root; become works as it does everywhere.
  - The host's own configuration decides; its agent relays only where C(config.yml) says C(automation=any).
notes:
  - Every use is in the audit log of the server and in the log of the agent.
  - Between tasks a small program of your own user keeps the connection to the server open, see O(persist).
options:
  host:
    description: The host as the server knows it, by its id, its friendly name or its hostname.
    type: str
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: ansible_patchmon_host
  url:
    description: Address of the PatchMon server.
    type: str
    required: true
    vars:
      - name: ansible_patchmon_url
    env:
      - name: PATCHMON_URL
    ini:
      - section: patchmon
        key: url
  token:
    description:
      - API token of a person who may manage automation and sees the host.
      - It is best given by the environment or from a vault.
    type: str
    default: ""
    vars:
      - name: ansible_patchmon_token
    env:
      - name: PATCHMON_TOKEN
    ini:
      - section: patchmon
        key: token
  api_key:
    description: Key of a program with the scope C(relay), instead of O(token).
    type: str
    default: ""
    vars:
      - name: ansible_patchmon_api_key
    env:
      - name: PATCHMON_API_KEY
    ini:
      - section: patchmon
        key: api_key
  api_secret:
    description: The secret that belongs to O(api_key).
    type: str
    default: ""
    vars:
      - name: ansible_patchmon_api_secret
    env:
      - name: PATCHMON_API_SECRET
    ini:
      - section: patchmon
        key: api_secret
  verify_ssl:
    description: Whether the certificate of the server is verified.
    type: bool
    default: true
    vars:
      - name: ansible_patchmon_verify_ssl
    env:
      - name: PATCHMON_VERIFY_SSL
    ini:
      - section: patchmon
        key: verify_ssl
  ca_file:
    description: File with the certificates of the authorities to trust, beside those of the system's.
    type: str
    default: ""
    vars:
      - name: ansible_patchmon_ca_file
    env:
      - name: PATCHMON_CA_FILE
    ini:
      - section: patchmon
        key: ca_file
  proxy:
    description:
      - Proxy between here and the server, as C(http://[user:password@]host:port). It has to take C(CONNECT), also to
        the port of a server without TLS.
      - When it is not set, C(HTTPS_PROXY), C(HTTP_PROXY) and C(NO_PROXY) of the environment decide; C(none) takes no
        proxy whatever they say.
    type: str
    default: ""
    vars:
      - name: ansible_patchmon_proxy
    env:
      - name: PATCHMON_PROXY
    ini:
      - section: patchmon
        key: proxy
  timeout:
    description: Seconds to wait until the server answers at all. Commands may take as long as they like.
    type: int
    default: 10
    vars:
      - name: ansible_patchmon_timeout
    env:
      - name: PATCHMON_TIMEOUT
    ini:
      - section: patchmon
        key: timeout
  persist:
    description:
      - Seconds for which an unused connection to the server is kept open for the next task.
      - With 0 every task opens its own.
    type: int
    default: 60
    vars:
      - name: ansible_patchmon_persist
    env:
      - name: PATCHMON_PERSIST
    ini:
      - section: patchmon
        key: persist
  pipelining:
    description: Whether modules are sent to Python's input instead of being written to files first.
    type: bool
    default: true
    vars:
      - name: ansible_pipelining
      - name: ansible_patchmon_pipelining
    env:
      - name: PATCHMON_PIPELINING
    ini:
      - section: patchmon
        key: pipelining
"""

import os
import queue

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_native, to_text
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display
from ansible_collections.patchmon.fleet.plugins.plugin_utils._relay import (
    DONE,
    OUT,
    Relay,
    RelayError,
    Server,
    basic,
    bearer,
    proxy_for,
)

display = Display()

_PIECE = 256 * 1024
#: Commands may print without end; Ansible wants it whole.
_PROMPT_BYTES = 65536


class Connection(ConnectionBase):
    """One host's side of the relay, for one task."""

    transport = "patchmon.fleet.agent"
    has_pipelining = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._relay = None

    def _connect(self):
        """Get ready; the connection itself is opened by the first command."""
        if self._relay is None:
            token, key = str(self.get_option("token") or ""), str(self.get_option("api_key") or "")
            if not token and not key:
                raise AnsibleConnectionFailure(self._sentence("a token (PATCHMON_TOKEN) or an API key is needed"))
            server = Server(
                url=str(self.get_option("url")).rstrip("/"),
                authorization=bearer(token) if token else basic(key, str(self.get_option("api_secret") or "")),
                path="/api/v1/relay" if token else "/api/v1/api/relay",
                verify=self.get_option("verify_ssl"),
                ca_file=str(self.get_option("ca_file") or ""),
                timeout_seconds=self.get_option("timeout"),
                persist_seconds=self.get_option("persist"),
                proxy=self._proxy(),
            )
            folder = os.path.expanduser(os.environ.get("ANSIBLE_HOME") or "~/.ansible")
            self._relay = Relay(server, os.path.join(folder, "cp"))
            self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        """Run a command and return its exit code, its output and its errors."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        display.vvv(f"EXEC {to_text(cmd)}", host=self._host)
        conversation = _Conversation(self.become if sudoable else None, in_data)
        try:
            command = to_bytes(cmd, errors="surrogate_or_strict")
            done = self._run("exec", command, conversation.input(), conversation.heard)
        finally:
            conversation.over()
        if conversation.wrong:
            raise AnsibleConnectionFailure(conversation.wrong)
        if done.code:
            raise AnsibleConnectionFailure(self._sentence(done.reason))
        return done.rc, conversation.output(), conversation.errors()

    def put_file(self, in_path, out_path):
        """Write a file of this machine to the host."""
        super().put_file(in_path, out_path)
        display.vvv(f"PUT {to_text(in_path)} TO {to_text(out_path)}", host=self._host)
        try:
            file = open(to_bytes(in_path, errors="surrogate_or_strict"), "rb")  # noqa: SIM115 (closed below)
        except FileNotFoundError as error:
            raise AnsibleFileNotFound(f"there is no file {to_native(in_path)}") from error
        with file:
            done = self._run("put", to_bytes(out_path, errors="surrogate_or_strict"), _pieces(file), _ignore)
            size = os.fstat(file.fileno()).st_size
        self._demand(done, f"cannot write {to_native(out_path)}")
        if done.size != size:
            raise AnsibleError(self._sentence(f"{done.size} of {size} bytes of {to_native(out_path)} arrived"))

    def fetch_file(self, in_path, out_path):
        """Write a file of the host to this machine."""
        super().fetch_file(in_path, out_path)
        display.vvv(f"FETCH {to_text(in_path)} TO {to_text(out_path)}", host=self._host)
        size = 0
        with open(to_bytes(out_path, errors="surrogate_or_strict"), "wb") as file:

            def write(kind, data):
                nonlocal size
                if kind == OUT:
                    size += file.write(data)

            done = self._run("fetch", to_bytes(in_path, errors="surrogate_or_strict"), (), write)
        if done.code == "missing":
            raise AnsibleFileNotFound(self._sentence(f"there is no file {to_native(in_path)}"))
        self._demand(done, f"cannot read {to_native(in_path)}")
        if done.size != size:
            raise AnsibleError(self._sentence(f"{size} of {done.size} bytes of {to_native(in_path)} arrived"))

    def reset(self):
        """Begin with a new connection."""
        self.close()
        self._connect()

    def close(self):
        """Give the connection back."""
        if self._relay is not None:
            self._relay.close()
            self._relay = None
        self._connected = False

    @property
    def _host(self):
        return to_text(self.get_option("host"))

    def _proxy(self):
        try:
            return proxy_for(str(self.get_option("url")), str(self.get_option("proxy") or ""))
        except RelayError as error:
            raise AnsibleConnectionFailure(self._sentence(str(error))) from error

    def _run(self, operation, target, pieces, received):
        """The one place where the relay's errors become Ansible's: whatever was not even begun is 'unreachable'."""
        self._connect()
        try:
            return self._relay.run(self._host, operation, target, pieces, received)
        except RelayError as error:
            raise AnsibleConnectionFailure(self._sentence(str(error))) from error

    def _demand(self, done, what):
        if done.code in ("forbidden", "busy", "cut"):
            raise AnsibleConnectionFailure(self._sentence(done.reason))
        if done.code:
            raise AnsibleError(self._sentence(f"{what}: {done.reason}"))

    def _sentence(self, text):
        return f"PatchMon, host {self._host}: {text}"


class _Conversation:
    """A command's input and output, with the question for a password in between when somebody else is to run it."""

    def __init__(self, become, in_data):
        self.wrong = ""
        self._become = become if become is not None and become.expect_prompt() else None
        self._names_success = become is not None and bool(become.success)
        self._whole = become
        self._said = {1: bytearray(), 2: bytearray()}
        self._inputs = queue.SimpleQueue()
        self._in_data = to_bytes(in_data, errors="surrogate_or_strict") if in_data else b""
        if self._become is None:
            self._finish()

    def _finish(self):
        self._become = None
        self._inputs.put(self._in_data)
        self._inputs.put(None)

    def input(self):
        """Yield what the command reads, as soon as it may."""
        while True:
            piece = self._inputs.get()
            if piece is None:
                return
            yield piece

    def heard(self, kind, data):
        """Take what the command prints, and answer when it asks."""
        if kind == DONE:
            self.over()
        if kind not in self._said:
            return
        self._said[kind] += data
        if self._become is None:
            return
        said = bytes(self._said[kind][-_PROMPT_BYTES:])
        if self._become.check_success(said):
            self._finish()
        elif self._become.check_incorrect_password(said) or self._become.check_missing_password(said):
            self.wrong = f"Incorrect or missing {self._become.name} password"
            self._in_data = b""
            self._finish()
        elif self._become.check_password_prompt(said):
            password = self._become.get_option("become_pass")
            # Once: a second question is no prompt of ours any more.
            del self._said[kind][:]
            self._inputs.put(to_bytes(password, errors="surrogate_or_strict") + b"\n")

    def over(self):
        """The command has ended: what it was not told it need not know."""
        self._inputs.put(None)

    def output(self):
        """Return what it printed, without the words that become added."""
        return self._without_words(bytes(self._said[1]))

    def errors(self):
        """Return its errors, without the words that become added."""
        return self._without_words(bytes(self._said[2]))

    def _without_words(self, said):
        if not self._names_success or self._whole.success.encode() not in said:
            return said
        lines = said.splitlines(keepends=True)
        return b"".join(line for line in lines if not self._whole.check_success(line.rstrip(b"\r\n")))


def _pieces(file):
    while True:
        piece = file.read(_PIECE)
        if not piece:
            return
        yield piece


def _ignore(_kind, _data):
    """Writing a file says nothing but its end."""
