"""How many random cases each property gets: a share of some thousands in CI, of `LAMI_CASES` in the long run.

In CI the cases are the same every time, so that a failure repeats by running the test again. In the long run
they are new ones; a failure prints the `@reproduce_failure` line that repeats it, and `.hypothesis/` has it.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

SHARES = {
    "sqlite": 60,
    "memory": 100,
    "azurite": 10,
    "books": 100,
    "books on sqlite": 20,
    "findings": 150,
    "estate": 45,
    "findings pages": 80,
    "timeline pages": 60,
    "policy": 250,
    "policy faults": 250,
    "policy text": 200,
    "exceptions": 200,
    "conditions": 300,
    "events": 600,
    "event schemas": 150,
    "bodies": 400,
    "lines": 100,
    "webhook": 250,
    "large bodies": 10,
    "claimed times": 20,
    "cards": 200,
    "mails": 150,
    "subjects": 300,
    "consoles": 120,
    "grid events": 80,
    "wording": 300,
    "commands": 200,
    "definitions": 400,
}
"""Cases of each property in CI; a case of a machine is a whole run of some dozens of steps."""
STEPS = 30
"""Steps of one run of a machine."""
LONG = int(os.environ.get("LAMI_CASES", "0"))
"""Cases of the whole package in the long run; 0 is CI."""

settings.register_profile(
    "properties",
    deadline=None,
    print_blob=True,
    # All but `explain`, which traces every line and takes minutes where a case is a whole run.
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink],
    stateful_step_count=STEPS,
    # Cases of this package are large on purpose, and the machine is shared.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("properties-ci", settings.get_profile("properties"), derandomize=True)


def cases(of: str) -> settings:
    """The settings for one property, by its name in `SHARES`."""
    if LONG:
        scaled = max(1, SHARES[of] * LONG // sum(SHARES.values()))
        return settings(settings.get_profile("properties"), max_examples=scaled)
    return settings(settings.get_profile("properties-ci"), max_examples=SHARES[of])
