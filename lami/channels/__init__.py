"""The edge to people and other systems: each channel a pure `render()` and a thin `send()`.

`NAMES` is the whole list of what there is; `[routes]` of the policy may name these and no others.
"""

NAMES: tuple[str, ...] = ("teams", "email", "event-grid", "console")
