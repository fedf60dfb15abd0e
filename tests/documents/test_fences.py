"""How the blocks of the documents are read, and that each command in them is run somewhere."""

from __future__ import annotations

from importlib.util import find_spec

from twisted.trial.unittest import SynchronousTestCase

from ..tables import row
from .fences import REASONS, blocks, commands, missing, pages

PAGE = """
<!-- run first:
echo before
-->
```console
$ llmproxy version --json   # this
{"llmproxy": "0.3.0", "python": "…"}
$ curl -s \\
    http://h
$ curl -d '{
 "a": 1}' http://h
```

<!-- not run: needs systemd -->
   ```console
   $ systemctl start llmproxy
   ```

```yaml
a: 1
```
"""


class ReadingTests(SynchronousTestCase):
    def test_blocks(self) -> None:
        """Comments belong to the block that follows; what is indented is so no more."""
        first, second, third = blocks(PAGE)
        self.assertEqual((first.kind, first.first, first.unless, first.line), ("console", "echo before", "", 5))
        self.assertEqual((second.text, second.unless), ("$ systemctl start llmproxy\n", "needs systemd"))
        self.assertEqual((third.kind, third.first, third.unless), ("yaml", "", ""))

    def test_commands(self) -> None:
        """A command goes on behind a backslash and within quotes; all else is what it shows."""
        first, second, third = commands(next(iter(blocks(PAGE))).text)
        self.assertEqual(first.shown, ['{"llmproxy": "0.3.0", "python": "…"}'])
        self.assertEqual((second.text, second.shown), ("curl -s \\\n    http://h", []))
        self.assertEqual(third.text, "curl -d '{\n \"a\": 1}' http://h")

    def test_outputs(self) -> None:
        """Numbers, ids and blanks may differ, words may not; lines may be missing in what is shown."""
        for shown, output, lacking in (
            (["file: 3120 records, 0 problems"], "file: 7 records, 0 problems", ""),
            (["file: 3120 records", "fine"], "file: 7 records\nmore\nfine", ""),
            (["fine", "file: 3120 records"], "file: 7 records\nfine", "file: 3120 records"),
            (["head ee9c4112827f4f57:1"], "head 00aa00aa00:22", ""),
            (["a …  b"], "a x y b", ""),
            (["Everything is in order."], "Nothing is in order.", "Everything is in order."),
        ):
            with row(shown, output):
                self.assertEqual(missing(shown, output), lacking)


class MarkTests(SynchronousTestCase):
    def test_reasons(self) -> None:
        """What is not run is so for a known reason; what another test is to run has that test."""
        for page in pages():
            for block in blocks(page.read_text("utf-8")):
                with row(page.name, block.line):
                    self.assertTrue(not block.unless or block.unless.startswith(REASONS), block.unless)
                    self.assertTrue(not block.elsewhere or find_spec(block.elsewhere), block.elsewhere)

    def test_kinds(self) -> None:
        """What is typed stands in blocks that are run, behind a C{$}."""
        for page in pages():
            for block in blocks(page.read_text("utf-8")):
                with row(page.name, block.line):
                    self.assertNotIn(block.kind, ("sh", "bash", "shell", "zsh", "shellsession"))
                    self.assertEqual(block.kind != "console" and "\n$ " in f"\n{block.text}", False)
