"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: how long one example takes says more of the machine than of the code. Where a change is judged, the same
# examples every time: a failure there is the change's, and it can be repeated.
settings.register_profile("house", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "house")
