"""Who may come in by the page, the API and the metrics, and over which TLS: `--web.config.file`.

reading   the file (the exporter-toolkit's) → a frozen WebConfig, or all that is wrong and where
tls       its tls_server_config → an ssl.SSLContext, as far as Python's ssl can
guard     the middleware; the file is read again whenever it changes
passwords bcrypt, one at a time and off the event loop, each answer remembered for a while
strangers no listening beyond this machine without credentials
"""

from __future__ import annotations

from bridge.access.guard import Access
from bridge.access.reading import WebConfig, read_web_config
from bridge.access.strangers import exposed, refuse_strangers

__all__ = ["Access", "WebConfig", "exposed", "read_web_config", "refuse_strangers"]
