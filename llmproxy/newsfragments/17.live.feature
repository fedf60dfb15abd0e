`GET /manage/exchanges` takes `person` and `session`, and says of each exchange whose it is and what it belongs to; so does the page *Live*, where a person's page leads.
