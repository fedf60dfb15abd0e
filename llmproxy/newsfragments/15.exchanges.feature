`GET /manage/exchanges` and the page Live show what runs now, in all workers; `DELETE /manage/exchanges/{id}` cuts one. Live shows the latest errors too, with what to do.
