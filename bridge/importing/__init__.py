"""A first config from another system's. Pure: text in, a draft out, and every thing that it could not take along.

names     keys that the file takes           draft     what is carried over, and what is not
sachet    sachet's config.yaml               oncall    what Grafana OnCall's API lists, in one JSON file
shifts    its shifts as rotations            chains    its escalation chains as policies    routes   its routes
writing   the draft as YAML, marked where the operator must write
"""

from __future__ import annotations

from bridge.importing.draft import Draft
from bridge.importing.oncall import from_oncall
from bridge.importing.sachet import from_sachet
from bridge.importing.writing import FILL_IN, written

__all__ = ["FILL_IN", "Draft", "from_oncall", "from_sachet", "written"]
