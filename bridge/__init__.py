"""callbridge: the right person's phone rings when Prometheus says that something is on fire.

The river, in the order of its rooms:
  server      takes Alertmanager's webhooks and the gateway's reports into the inbox, one shared commit, 200
  dispatch    digests them in order: message, alert, route, policy, incident; loads, decides, commits
  escalation  decides: one pure table of what an incident does when something happens
  worker      fires what is due, merges a person's waiting pages into one call, places it
  writer      sends SMS beside the calls, in nobody's way
  speech      says what the phone says
  gateway     speaks to sms77/seven, and reads what it reports
  call        settles what became of a call; dispatch hears of it as of everything else
  inquiry     asks Alertmanager, through its client (alertmanager): does it still fire, who silenced it, what was lost
  heartbeat   tells somebody outside that all of this could call
  web         shows all of it to people, and takes their clicks
"""

__version__ = "0.1.0"
