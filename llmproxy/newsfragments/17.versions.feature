Versions of managed settings are kept and listed (`GET /manage/agents/settings/versions`, page Agents); a change is in the audit log once, whatever the number of workers and machines.
