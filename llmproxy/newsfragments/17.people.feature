`/manage/people` lists the people who sign in by an identity provider; shows, revokes, reinstates, exports and deletes them.
