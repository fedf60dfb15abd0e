Requests and tokens a minute go on where they were after a restart or a kill, by the records of the last minute.
