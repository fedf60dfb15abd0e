`llmproxy sinks redeliver NAME`, `POST /manage/sinks/{sink}/redeliver` and a button in the admin pages send the dead letters of a sink again.
