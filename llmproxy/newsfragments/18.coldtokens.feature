Tokens that are not in memory are looked up together: of many that are used at the same time one query finds up to 200, and one more their projects, in place of two queries and a thread each.
