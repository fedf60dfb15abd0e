The admin pages have what coding agents get by group, with the version of their settings; `/manage/agents` has it too.
