"""The verbs of the `opengage` command, above everything else: each reads the settings and calls what does the work.

A verb is imported only when it is called for: the worker never loads the web framework, nor `smsc` the database.
"""

import difflib
import importlib
import sys
from typing import Final

import rich_click as click

from opengage import __version__
from opengage.cli.lifeline import end_with_parent
from opengage.domain.errors import OpengageError
from opengage.settings import SettingsError

VERBS: Final = {
    "serve": "opengage.cli.serve",
    "init": "opengage.cli.init",
    "login": "opengage.cli.login",
    "send": "opengage.cli.send",
    "demo": "opengage.cli.demo",
    "web": "opengage.cli.web",
    "worker": "opengage.cli.worker",
    "smsc": "opengage.cli.smsc",
    "migrate": "opengage.cli.migrate",
    "verify": "opengage.cli.verify",
    "doctor": "opengage.cli.doctor",
    "erase": "opengage.cli.erase",
    "backup": "opengage.cli.backup",
    "restore": "opengage.cli.restore",
    "migrate-data": "opengage.cli.migrate_data",
}
"""Each verb and the module whose `command` it is."""

CANNOT_START: Final = 3
"""The exit code of a process that would fail again in the same way: restarting it is no use."""


class _Verbs(click.RichGroup):
    """A group whose commands are imported when they are called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """See click.Group.list_commands."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """See click.Group.get_command."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(VERBS[cmd_name]).command
        command.name = cmd_name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click.Group.resolve_command; for a verb that does not exist the nearest is named."""
        if args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], VERBS, n=1, cutoff=0.5)
            hint = f"Did you mean “{near[0]}”?" if near else f"There are: {', '.join(VERBS)}."
            ctx.fail(f"There is no verb “{args[0]}”. {hint}")
        return super().resolve_command(ctx, args)


@click.command(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="opengage")
@click.option("--with-parent", is_flag=True, hidden=True, help="Stop when standard input ends.")
def cli(with_parent: bool) -> None:
    """Bulk texting that proves the fate of every recipient."""
    if with_parent:
        end_with_parent()


def main() -> None:
    """Run the command line; every refusal is told in words, without a traceback."""
    try:
        cli()
    except (OpengageError, SettingsError) as error:
        for problem in error.problems:
            # not a log line: this is the answer to a person at a terminal
            sys.stderr.write(f"opengage: {getattr(problem, 'detail', problem)}\n")
        sys.exit(CANNOT_START)
