`POST /manage/sinks/{sink}/test` and a button in the admin pages send one event to a sink of a running proxy, and show what comes back.
