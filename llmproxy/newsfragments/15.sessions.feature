`POST /manage/sessions` signs in with the management token or an admin's, for the admin pages; `GET` lists who is signed in, `DELETE` ends one session, all of one's own, or everybody's.
