The first start over a database with many projects whose keys nobody has given an API for says so in a few statements for each 500 of them: a hundred thousand took minutes.
