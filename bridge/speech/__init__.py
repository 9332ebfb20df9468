"""Pages of one call -> what the phone says: text, XML or SSML, within seconds and characters.

`Speaker.speak` turns the incidents of one call (`Subject`) into one `Speech`. Templates are Jinja2 in a sandbox; what
they see and which filters they have is in docs/templates.md. Nothing here raises at run time: a template that fails
gives the plain sentence, and the reason in `Speech.problem`.
"""

from bridge.speech.library import shipped_templates
from bridge.speech.say import say
from bridge.speech.speaker import Speaker
from bridge.speech.values import Kind, Limits, Speech, Subject

__all__ = ["Kind", "Limits", "Speaker", "Speech", "Subject", "say", "shipped_templates"]
