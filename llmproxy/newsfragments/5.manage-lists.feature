GET /manage/projects and /manage/tokens come in pages (limit, cursor, and Link to the next page; 1,000 entries at most) and can be filtered.
