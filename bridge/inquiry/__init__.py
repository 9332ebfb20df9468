"""Alertmanager is asked while the server runs, and dispatch is told what it says.

keeper        when it is asked, and about what        recheck    does it still fire, or is it kept quiet
silences      what an acknowledge silences there      discovery  what no webhook brought
ways          how Alertmanager itself sends
"""

from bridge.inquiry.keeper import Inquiry

__all__ = ["Inquiry"]
