`llmproxy top` shows in a terminal what a running proxy does: requests, streams, tokens, spend, upstreams. `GET /manage/live?events=…` names what is to be watched, also `upstreams`.
