`GET /manage/live` tells what happens now as server-sent events, collected once for all who watch.
