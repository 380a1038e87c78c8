"""Every problem type, cause and specific reason, from the tables in the code."""

from types import MappingProxyType
from typing import Final

from docwarden.core.errors import RULES, Cause, Retry, Rule
from docwarden.core.reasons import FailureReason
from docwarden.settings.settings import PREFIX
from reference_pages.markdown import page, table

_ALLOWANCES: Final = MappingProxyType(
    {Retry.NEVER: "no", Retry.TRANSPORT: "transport", Retry.CORRUPTION: "corruption"}
)
_INTRODUCTION: Final = """\
Every response that is not a document is `application/problem+json` (RFC 9457). `type` is
`urn:docwarden:problem:` and a slug from this page; `reason` is more specific: the cause of the last
attempt, a [specific reason](#specific-reasons), or the finding of an
[integrity check](integrity-checks.md). Nothing in a problem comes from the upstream.
[Find out why a document was refused](../how-to/debug-a-refusal.md) shows how to read one."""

_CAUSES: Final = f"""\
## Every cause

*Retry* names the retry budget used for another attempt. *Trips* says whether an attempt counts
as a failure for the circuit breaker. *Stale* says whether a last verified copy may be delivered
instead, if `{PREFIX}STALE_IF_ERROR` is set. `Retry-After` is jittered."""

_REASONS: Final = """\
## Specific reasons

Some failures have a reason more specific than their cause. The cause still decides what follows."""

_STATUSES: Final = f"""\
For an error status from the upstream, the reason is `{Cause.STATUS}-` and that status. 408, 425,
429 and 5xx are retried, others are final."""


def problems_page() -> str:
    """Return the page."""
    slugs = {rule.slug: rule for rule in reversed(RULES.values())}
    types = [
        (str(rule.status), f"[`{slug}`](#{slug})", rule.title)
        for slug, rule in reversed(slugs.items())
    ]
    return page(
        "Problems",
        "docwarden.core.errors and docwarden.core.reasons",
        _INTRODUCTION,
        table(("status", "slug", "title"), types),
        _CAUSES,
        _causes(),
        _REASONS,
        _reasons(),
        _STATUSES,
        "## Every problem",
        *(_problem(slug, rule) for slug, rule in reversed(slugs.items())),
    )


def _causes() -> str:
    head = ("reason", "slug", "retry", "`Retry-After`", "trips", "stale", "outcome", "log level")
    rows = [
        (
            f"`{cause}`",
            f"`{rule.slug}`",
            _ALLOWANCES[rule.retry],
            _yes(told=rule.retry_after),
            _yes(told=rule.trips),
            _yes(told=rule.stale),
            f"`{rule.outcome}`" if rule.outcome else "",
            rule.level,
        )
        for cause, rule in RULES.items()
    ]
    return table(head, rows)


def _reasons() -> str:
    rows = [(f"`{reason}`", f"`{reason.cause}`", reason.meaning) for reason in FailureReason]
    return table(("reason", "cause", "means"), rows)


def _problem(slug: str, rule: Rule) -> str:
    details = [f"- `{cause}`: {each.detail}" for cause, each in RULES.items() if each.slug == slug]
    return "\n".join((f"### {slug}", "", f"{rule.status}, *{rule.title}*", "", *details))


def _yes(*, told: bool) -> str:
    return "yes" if told else ""
