`GET /manage/projects?sort=newest` lists first those that were made last; the list of projects in the admin pages can be sorted.
