`GET /manage/budgets` lists the budgets of which most is used, of the projects and tokens that have spent most of late; the overview shows them.
