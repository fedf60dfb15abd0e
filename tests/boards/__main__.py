"""Write the boards of deploy/grafana anew (C{make boards})."""

from .made import FOLDER, made

for name, text in made().items():
    path = FOLDER / name
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")
        print(path)
