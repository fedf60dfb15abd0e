A configuration that is pasted is checked by `POST /manage/config/check` and in the settings: by its text alone, no variable is replaced and no file touched.
