"""Reads an Alertmanager config and says what would lose or double a page. Pure: text in, findings out.

reading       the config, inherited out    finding    what is found
address   does the URL get there        credentials   is it let in                webhooks   what its settings spoil
reach     which routes lead here        witness       an alert for an example     timing     how late, how long nobody
alive     what always fires             inhibition    what hides too much         refused    what Alertmanager refuses
surroundings   where callbridge is, and what its own config decides               examine    all of it in order
"""

from __future__ import annotations

from bridge.doctor.address import Where
from bridge.doctor.examine import examine
from bridge.doctor.finding import Finding, Level
from bridge.doctor.surroundings import Surroundings, surroundings

__all__ = ["Finding", "Level", "Surroundings", "Where", "examine", "surroundings"]
