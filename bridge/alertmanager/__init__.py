"""Asks Alertmanager's API v2: does it still fire, who silenced it, what did no webhook bring; sets and ends silences.

words     what is asked, and why a question failed     values    alerts, groups and silences as they come
member    one Alertmanager                             cluster   several of them, of which any is believed
"""

from bridge.alertmanager.cluster import Cluster, Heard
from bridge.alertmanager.member import Member
from bridge.alertmanager.values import Shown, ShownGroup, Silence, Standing
from bridge.alertmanager.words import AlertmanagerUnavailable, Ask, Observe, Why

__all__ = [
    "AlertmanagerUnavailable",
    "Ask",
    "Cluster",
    "Heard",
    "Member",
    "Observe",
    "Shown",
    "ShownGroup",
    "Silence",
    "Standing",
    "Why",
]
