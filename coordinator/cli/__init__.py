"""The command line. A plain install has the client's commands; the extras add theirs."""

import importlib
from typing import Final

import click
from typing_extensions import override

# Name to module and one line of help: modules are imported when their command is called, so that
# the client's commands need no server library and start fast.
_COMMANDS: Final = {
    "upload": ("coordinator.cli.client", "Upload files, chunk by chunk, straight to S3."),
    "status": ("coordinator.cli.client", "Show one upload."),
    "list": ("coordinator.cli.client", "List uploads."),
    "download": ("coordinator.cli.client", "Download a completed upload and verify it."),
    "abort": ("coordinator.cli.client", "Abort an open upload."),
    "hand-out": ("coordinator.cli.hand_out", "Open an upload for somebody without a key."),
    "verify": ("coordinator.cli.client", "Check a local file against a manifest."),
    "dev": ("coordinator.cli.dev", "Run everything here: servers, service, worker."),
    "demo": ("coordinator.cli.demo", "Upload a data set and show what was proven."),
    "demo-ai": ("coordinator.cli.demo_ai", "Run all AI jobs, and hold them against the truth."),
    "serve": ("coordinator.cli.server", "Run the service."),
    "work": ("coordinator.cli.server", "Run a worker."),
    "doctor": ("coordinator.cli.doctor", "Examine S3, PostgreSQL and Redis; say what to do."),
    "policy": ("coordinator.cli.policy", "Print IAM and bucket policies, lifecycle, CORS."),
    "bucket": ("coordinator.cli.bucket", "Write the bucket's CORS rule for pages that upload."),
    "search": ("coordinator.cli.search", "Search the rows of uploads by meaning."),
    "datasets": ("coordinator.cli.search", "List the data sets that have a card."),
    "stats": ("coordinator.cli.stats", "Count uploads and bytes over time."),
    "jobs": ("coordinator.cli.jobs", "List AI jobs."),
    "job": ("coordinator.cli.jobs", "Show one job and what it found."),
    "run-job": ("coordinator.cli.jobs", "Run a kind of job on a completed upload."),
    "retry": ("coordinator.cli.jobs", "Run a failed job again."),
    "cancel": ("coordinator.cli.jobs", "Cancel a job."),
    "artifacts": ("coordinator.cli.artifacts", "List and fetch what jobs made."),
    "deliveries": ("coordinator.cli.deliveries", "List deliveries of events; retry dead ones."),
    "audit": ("coordinator.cli.audit", "Verify and export the audit."),
    "erase": (
        "coordinator.cli.erasures",
        "Erase an upload or a user, with all that is kept of it.",
    ),
    "erasures": ("coordinator.cli.erasures", "List erasures and their reports."),
    "hold": ("coordinator.cli.erasures", "Keep an upload for a case, whatever the rules say."),
    "unhold": ("coordinator.cli.erasures", "Lift a hold."),
    "retention": ("coordinator.cli.erasures", "Show and set how long objects are kept."),
    "quotas": ("coordinator.cli.quotas", "Show and set what tenants may use."),
    "migrate": ("coordinator.cli.migrating", "Bring the database's schema up to date."),
    "keys": ("coordinator.cli.keys", "Create, list, rotate and revoke API keys."),
}


class _Commands(click.Group):
    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        try:
            module = importlib.import_module(_COMMANDS[cmd_name][0])
        except ModuleNotFoundError as exc:
            raise click.ClickException(
                f"`coordinator {cmd_name}` needs {exc.name}: install upload-coordinator[server,"
                "jobs,embedded]."
            ) from exc
        commands: list[click.Command] = module.COMMANDS
        return next(command for command in commands if command.name == cmd_name)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="upload-coordinator")
def main() -> None:
    """Direct-to-S3 multipart uploads, proven end to end."""
