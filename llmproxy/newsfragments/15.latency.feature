The overview of the admin pages shows the latency and the time to the first token of its span; `GET /manage/usage` has them with `latency=true`.
