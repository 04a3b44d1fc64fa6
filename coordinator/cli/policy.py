"""``coordinator policy``: what to put on the configured bucket and on the service's credentials."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import click
import msgspec

from coordinator.adapters.s3_clock import TOLERANCE
from coordinator.cli.starting import read_settings
from coordinator.domain import bucket_policy
from coordinator.domain.bucket_policy import Document, Place
from coordinator.settings import Settings

_PRINCIPAL: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):iam::\d{12}:(role|user)/[\w+=,.@/-]+", re.ASCII
)
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_ENDPOINT: Final = re.compile(r"vpce-[0-9a-f]{8,17}")
_KEY: Final = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+")

NO_PAGES: Final = (
    "No page is known that sends parts: set COORDINATOR_PUBLIC_URL for the service's own pages, or "
    "name the origins of others in COORDINATOR_CORS_ORIGINS."
)

HELP: Final = """Print JSON for the configured bucket and prefix; nothing is changed by it.

\b
  service    what the credentials of service and worker may do (an IAM policy)
  bucket     what the bucket refuses to everybody (a bucket policy; it allows nothing)
  lifecycle  abandoned parts, archive, old versions (lifecycle configuration)
  cors       which pages may send parts (CORS configuration)
  all        the four in one object

\b
To apply, for instance (this replaces what the bucket had; merge where others use it, too):
  coordinator policy --for bucket > bucket.json
  aws s3api put-bucket-policy --bucket BUCKET --policy file://bucket.json
  aws s3api put-bucket-lifecycle-configuration --bucket BUCKET \\
    --lifecycle-configuration file://lifecycle.json
  coordinator bucket cors        (keeps the rules of others)
"""

_Option = Callable[[click.Context, click.Parameter, Any], Any]


def _like(pattern: re.Pattern[str], wanted: str) -> _Option:
    """Return a check of an option's value or values."""

    def check(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        for each in (value,) if isinstance(value, str) else value or ():
            if pattern.fullmatch(each) is None:
                raise click.BadParameter(f"{each!r} is not {wanted}.")
        return value

    return check


@click.command("policy", help=HELP)
@click.option(
    "--for",
    "wanted",
    type=click.Choice(["service", "bucket", "lifecycle", "cors", "all"]),
    default="all",
    show_default=True,
)
@click.option(
    "--principal",
    "principals",
    multiple=True,
    callback=_like(_PRINCIPAL, "the ARN of a role or user, arn:aws:iam::…:role/…"),
    help="Role or user of service or worker; with it nobody else reaches the objects. Repeatable.",
)
@click.option(
    "--account",
    callback=_like(_ACCOUNT, "an account's 12 digits"),
    help="With it nobody of another account reaches the objects.",
)
@click.option(
    "--vpce",
    "endpoints",
    multiple=True,
    callback=_like(_ENDPOINT, "a VPC endpoint, vpce-…"),
    help="VPC endpoint of service and worker; URLs that clients use work everywhere. Repeatable.",
)
@click.option(
    "--kms-key",
    callback=_like(_KEY, "the ARN of a KMS key"),
    help="The key that the bucket is encrypted with.",
)
def policy_command(
    *,
    wanted: str,
    principals: tuple[str, ...],
    account: str | None,
    endpoints: tuple[str, ...],
    kms_key: str | None,
) -> None:
    """Print the documents; ``HELP`` says what the user is told."""
    settings = read_settings()
    place = _place(settings, principals)
    documents: dict[str, Document] = {
        "service": bucket_policy.service_policy(place, kms_key=kms_key),
        "bucket": bucket_policy.bucket_policy(
            place,
            oldest=timedelta(seconds=settings.url_lifetime_seconds) + TOLERANCE,
            principals=principals,
            account=account,
            endpoints=endpoints,
        ),
        "lifecycle": bucket_policy.lifecycle(
            place, session=timedelta(seconds=settings.session_lifetime_seconds)
        ),
    }
    if settings.page_origins:
        documents["cors"] = bucket_policy.cors(place.prefix, settings.page_origins)
    elif wanted == "cors":
        raise click.UsageError(NO_PAGES)
    if wanted in {"bucket", "all"} and not (principals or account):
        click.echo("Without --principal every principal that IAM lets in is let in.", err=True)
    shown = documents if wanted == "all" else documents[wanted]
    click.echo(msgspec.json.format(msgspec.json.encode(shown)).decode())


def _place(settings: Settings, principals: tuple[str, ...]) -> Place:
    """Return where the objects lie; the partition (China, GovCloud) is the principals'."""
    if not bucket_policy.is_bucket_name(settings.s3_bucket):
        raise click.UsageError("COORDINATOR_S3_BUCKET is not a bucket's name: write it by hand.")
    found = [match["partition"] for each in principals if (match := _PRINCIPAL.fullmatch(each))]
    partition = found[0] if found else "aws"
    return Place(settings.s3_bucket, settings.s3_prefix, partition)


COMMANDS: Final = [policy_command]
