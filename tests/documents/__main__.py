"""Reference pages, made anew (C{make reference}): write what is made of the code into the pages."""

from .made import PAGES, made

for page in PAGES:
    text = page.read_text("utf-8")
    if made(text) != text:
        page.write_text(made(text), "utf-8")
        print(page)
