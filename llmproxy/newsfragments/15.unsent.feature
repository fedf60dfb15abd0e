Pages of admins and of people: a form that was sent while the database was away, or after the session had ended, is kept by the page that says so, and can be sent again, after signing in if need be.
