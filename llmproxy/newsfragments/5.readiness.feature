`/ready` answers within two seconds also while the database does not, and says so as well when the database can be read but not written to.
