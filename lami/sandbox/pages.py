"""The page that shows the little Azure: one template, no script, everything escaped."""

import secrets

from jinja2 import Environment, PackageLoader, StrictUndefined

from lami.sandbox.control import SIMULATION
from lami.sandbox.parts import Parts

SHOWN = 50  # newest lines of each kind


class Pages:
    """Renders the page; holds the compiled template."""

    def __init__(self) -> None:
        loader = PackageLoader("lami.sandbox")
        self._environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)

    def render(self, parts: Parts, mail_url: str) -> tuple[str, dict[str, str]]:
        """The page's HTML, and the headers that keep it harmless whatever is in it."""
        nonce = secrets.token_urlsafe(16)
        estate = parts.estate
        with estate.lock:
            roles = {role.name: role.role_name for role in estate.roles.all()}
            html = self._environment.get_template("page.html").render(
                simulation=SIMULATION,
                nonce=nonce,
                mail_url=mail_url,
                subscriptions=estate.subscriptions,
                resources=estate.resources.all(),
                assignments=estate.assignments.all(),
                roles=roles,
                directory=estate.directory,
                faults=parts.faults.active(),
                webhooks=parts.grid.webhooks(),
                attempts=list(parts.grid.attempts)[: -SHOWN - 1 : -1],
                dead=len(parts.grid.dead_letters),
                cards=list(parts.teams.cards)[: -SHOWN - 1 : -1],
                published=list(parts.topic.events)[: -SHOWN - 1 : -1],
                mails=list(parts.mail.messages)[: -SHOWN - 1 : -1],
            )
        closed = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        return html, {
            "Content-Security-Policy": f"{closed}; style-src 'nonce-{nonce}'",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
