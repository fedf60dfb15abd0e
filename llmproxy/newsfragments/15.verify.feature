`POST /manage/audit/verify` and a button in the admin pages say whether anybody tampered with the audit records in the database.
