"""The agent's commands: reads the arguments, calls what does the work, prints what people and scripts look for."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional, Sequence

from agent import __version__

if TYPE_CHECKING:
    from agent.checkin import Server
    from agent.config import Config, Environment
    from agent.docker.inventory import Inventory
    from agent.report import Report
    from agent.system.log import Log

    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 (its only name)
    _Command = Callable[[argparse.Namespace], int]

DEFAULT_CONFIG = "/etc/patchmon/config.yml"
_OPEN_COMMANDS = ("version", "config show")
_OK, _FAILED, _USAGE = 0, 1, 2


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run one command and return its exit code: 0 success, 1 any failure, 2 arguments nobody understands."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a mark must not cost the exit code.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    if getattr(options, "version", False) or options.name == "version":
        # Before anything else is imported: scripts ask this often.
        return version(options)
    command: Optional[Callable[[argparse.Namespace], int]] = getattr(options, "command", None)
    if command is None:
        _parser().print_help()
        return _USAGE
    refusal = _root_refusal(options)
    if refusal:
        return _fail(refusal)
    return _guarded(command, options)


def version(_options: argparse.Namespace) -> int:
    """Print the version."""
    print(f"PatchMon Agent v{__version__}")
    return _OK


def serve(options: argparse.Namespace) -> int:
    """Run the service loop."""
    from agent import daemon

    return daemon.main(_config_file(options), _level(options))


def report(options: argparse.Namespace) -> int:
    """Collect everything and send it, or print it."""
    if options.json:
        return _print_report()
    from agent import report as reports
    from agent.link.http import BadAnswer, Unreachable

    def work(config: Config, environment: Environment, log: Log) -> int:
        try:
            server = _server(config, environment, log)
            server.send_report(_composed(config, log))
            if (found := _containers(config, log)) is not None:
                server.send_docker(found)
        except (reports.CannotReport, Unreachable, BadAnswer) as error:
            log.error("Report failed", error=str(error))
            return _fail(f"report failed: {error}")
        from agent.updates import commands as updates

        return updates.after_report(config, environment, log, by_service=options.by_service)

    return _with_log(options, work)


def check_in(options: argparse.Namespace) -> int:
    """Do one scheduled check-in; the service runs this in a process of its own."""
    from agent import report as reports
    from agent.link.http import BadAnswer, Unreachable

    def work(config: Config, environment: Environment, log: Log) -> int:
        try:
            _server(config, environment, log).check_in(_composed(config, log), _containers(config, log))
        except (reports.CannotReport, Unreachable, BadAnswer) as error:
            log.error("Check-in failed", error=str(error))
            return _FAILED
        return _OK

    return _with_log(options, work)


def docker_inventory(options: argparse.Namespace) -> int:
    """Send what Docker has, because the server asked for it or something was missed."""

    def work(config: Config, environment: Environment, log: Log) -> int:
        found = _containers(config, log)
        if found is None:
            return _fail("Docker is not switched on for this host, or not there (see the log)")
        _server(config, environment, log).send_docker(found, hashed=False)
        return _OK

    return _with_log(options, work)


def ping(options: argparse.Namespace) -> int:
    """Test the way to the server and the credentials."""
    from agent.config import load

    return _ping(load(_config_file(options)))


def diagnostics(options: argparse.Namespace) -> int:
    """Print what a person needs first when something is wrong; finishes whatever is broken."""
    from agent import diagnostics as pages
    from agent.config import read_environment

    pages.show(_config_file(options), read_environment(), _level(options))
    return _OK


def config_show(options: argparse.Namespace) -> int:
    """Print the configuration, without the key."""
    from agent import diagnostics as pages

    return pages.show_config(_config_file(options), _level(options))


def config_set_api(options: argparse.Namespace) -> int:
    """Store server and credentials, then test them."""
    from agent.config import ConfigError, Credentials, save, save_credentials
    from agent.link.address import server_url

    if not all(text.strip() for text in (options.api_id, options.api_key, options.server_url)):
        return _fail("API_ID, API_KEY and SERVER_URL must not be empty")
    try:
        url = server_url(options.server_url)
    except ConfigError as error:
        return _fail(str(error))
    config = save(_config_file(options), {"patchmon_server": url})
    save_credentials(config, Credentials(options.api_id.strip(), options.api_key.strip()))
    print(f"Configuration saved to {config.file}")
    print(f"Credentials saved to {config.credentials_file}")
    return _ping(config)


def check_version(options: argparse.Namespace) -> int:
    """Ask the server for the newest version."""
    from agent.updates import commands as updates

    return updates.check(_config_file(options))


def update_agent(options: argparse.Namespace) -> int:
    """Take the newest version."""
    from agent.updates import commands as updates

    by_service, automatic = options.by_service, options.automatic
    return updates.take(_config_file(options), _level(options), automatic=automatic, by_service=by_service)


def update_watch(options: argparse.Namespace) -> int:
    """Watch a version on trial."""
    from agent.updates import commands as updates

    return updates.watch(_config_file(options))


def scanner_content(options: argparse.Namespace) -> int:
    """Have the server's security guide for this system, and say as JSON where it is."""
    import json

    from agent.content import NoContent, fetch

    def work(config: Config, environment: Environment, log: Log) -> int:
        try:
            found = fetch(_server(config, environment, log).http, config.state, options.names, options.profile)
        except NoContent as error:
            return _fail(str(error))
        told = {"path": str(found.path), "version": found.version, "changed": found.changed}
        print(json.dumps({**told, "tailoring": str(found.tailoring or "")}))
        return _OK

    return _with_log(options, work)


def _guide_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="NAME", help="what it may be called, the best first")
    parser.add_argument("--profile", default="", help="the profile, which may stand in a tailoring file")


def _parser() -> argparse.ArgumentParser:
    # SUPPRESS keeps the flag given before the command alive when the command's parser runs.
    flags = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    flags.add_argument("--config", metavar="PATH", help=f"configuration file (default {DEFAULT_CONFIG})")
    flags.add_argument("--log-level", choices=("debug", "info", "warn", "error"), help="for this process only")
    flags.add_argument("--version", action="store_true", help="print the version")
    parser = argparse.ArgumentParser(prog="patchmon-agent", parents=[flags], description="The PatchMon agent.")
    parser.set_defaults(name="")
    commands = parser.add_subparsers(metavar="COMMAND")

    def add(
        into: _Commands, name: str, work: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        made = into.add_parser(name.rpartition(" ")[2], parents=[flags], description=text, help=text)
        made.set_defaults(command=work, name=name)
        return made

    add(commands, "serve", serve, "run the service")
    reporter = add(commands, "report", report, "send a full report now")
    reporter.add_argument("--json", action="store_true", help="print the report and send nothing")
    reporter.add_argument("--by-service", action="store_true", help=argparse.SUPPRESS)
    add(commands, "check-in", check_in, "send what changed, as the service does on time")
    add(commands, "docker-inventory", docker_inventory, "send what Docker has now")
    add(commands, "ping", ping, "test connection and credentials")
    add(commands, "diagnostics", diagnostics, "print what is needed to find a fault")
    add(commands, "check-version", check_version, "ask the server for the newest version")
    updater = add(commands, "update-agent", update_agent, "take the newest version")
    for word in ("--by-service", "--automatic"):
        updater.add_argument(word, action="store_true", help=argparse.SUPPRESS)
    add(commands, "update-watch", update_watch, "stay beside a new version on trial, as the service has it done")
    _guide_arguments(add(commands, "scanner-content", scanner_content, "have the server's guide for this system"))
    add(commands, "version", version, "print the version")
    settings = commands.add_parser("config", parents=[flags], help="show or change the configuration")
    below = settings.add_subparsers(metavar="ACTION", required=True)
    add(below, "config show", config_show, "print the configuration")
    setter = add(below, "config set-api", config_set_api, "store server address and credentials")
    for word in ("api_id", "api_key", "server_url"):
        setter.add_argument(word, metavar=word.upper())
    return parser


def _root_refusal(options: argparse.Namespace) -> str:
    if options.name in _OPEN_COMMANDS or os.geteuid() == 0 or _config_file(options) != Path(DEFAULT_CONFIG):
        return ""
    return f"permission denied: 'patchmon-agent {options.name}' must be run as root (try sudo)"


def _guarded(command: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    from agent.config import ConfigError, CredentialsError

    try:
        return command(options)
    except (ConfigError, CredentialsError) as error:
        return _fail(str(error))
    except PermissionError as error:
        return _fail(f"permission denied: {error.filename or error}")
    except OSError as error:
        return _fail(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
    except KeyboardInterrupt:
        return _FAILED


def _with_log(options: argparse.Namespace, work: Callable[[Config, Environment, Log], int]) -> int:
    from agent.config import load, read_environment
    from agent.system.log import Log

    config, level = load(_config_file(options)), _level(options)
    log = Log(config.log_file, level or config.log_level, on_terminal=level == "debug")
    return work(config, read_environment(), log)


def _server(config: Config, environment: Environment, log: Log) -> Server:
    from agent.checkin import Server
    from agent.config import load_credentials
    from agent.link.http import Http

    return Server(Http(config, environment, load_credentials(config)), log)


def _composed(config: Config, log: Log) -> Report:
    from agent import report as reports

    reports.refresh_package_lists(config, log)
    log.info("Detecting operating system...")
    found = reports.compose()
    for note in found.notes:
        log.warning("Collector failed", collector=note.collector, error=note.text)
    log.info("Detected OS", osType=found.fields["osType"], osVersion=found.fields["osVersion"])
    log.info("Found packages", count=len(found.packages))
    return found


def _containers(config: Config, log: Log) -> Optional[Inventory]:
    """Return what Docker has; nothing where it is switched off, or not there."""
    if not config.integrations.docker:
        return None
    from agent.docker import engine, inventory

    try:
        return inventory.collect(engine.opened(config.integrations.docker_socket, inventory.COLLECT_SECONDS))
    except engine.NoSocket as error:
        log.warning(str(error))
    except engine.EngineFailed as error:
        log.warning("Failed to create Docker client", error=str(error))
    return None


def _print_report() -> int:
    import json

    from agent import report as reports

    try:
        found = reports.compose()
    except reports.CannotReport as error:
        return _fail(f"report failed: {error}")
    for note in found.notes:
        print(f"warning: {note.collector}: {note.text}", file=sys.stderr)
    print(json.dumps(found.fields, indent=2, ensure_ascii=False))
    return _OK


def _ping(config: Config) -> int:
    from agent.checkin import Server
    from agent.config import load_credentials, read_environment
    from agent.link.http import BadAnswer, Http, Unreachable
    from agent.system.log import Log

    server = Server(Http(config, read_environment(), load_credentials(config)), Log(None, "error", on_terminal=False))
    try:
        server.ping(attempts=1)
    except (Unreachable, BadAnswer) as error:
        return _fail(f"connectivity test failed: {_bare(str(error))}")
    print("✅ API credentials are valid")
    print("✅ Connectivity test successful")
    return _OK


def _bare(text: str) -> str:
    return text.replace(" Unauthorized", "")


def _config_file(options: argparse.Namespace) -> Path:
    return Path(getattr(options, "config", DEFAULT_CONFIG)).absolute()


def _level(options: argparse.Namespace) -> Optional[str]:
    level: Optional[str] = getattr(options, "log_level", None)
    return level


def _fail(text: str) -> int:
    print(f"Error: {text}", file=sys.stderr)
    return _FAILED
