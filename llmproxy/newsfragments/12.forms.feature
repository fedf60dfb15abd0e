The model of an upload to `/audio/` or `/images/` is read from its form, so that what it used has a price.
