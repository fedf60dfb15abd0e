"""Templates: everything is escaped, and nothing that is missing is passed over."""

from __future__ import annotations

from jinja2 import UndefinedError
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.rendering import JsonEnvironment, Renderer

from .browser import PagesTestCase


class EnvironmentTests(SynchronousTestCase):
    def test_json(self) -> None:
        """A member that is not there is none; one that is there comes before a method of the same name."""
        environment = JsonEnvironment(undefined=Renderer.undefined)
        for text, shown in (
            ("{{ x.gone }}", "None"),
            ("{{ x.items }}", "[1]"),
            ("{{ x.keys()|list|length }}", "1"),
            ("{{ 'a'.upper() }}", "A"),
        ):
            self.assertEqual(environment.from_string(text).render(x={"items": [1]}), shown, text)
        self.assertRaises(UndefinedError, environment.from_string("{{ forgotten }}").render)


class MarkupTests(PagesTestCase):
    NAMES = (
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{ 7*7 }} ${7*7} <%= 7*7 %>",
        "\u202egnp.exe \u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    )

    def test_names(self) -> None:
        """A name is shown as it is, wherever it stands, and is never markup."""
        self.sign_in()
        for name in self.NAMES:
            if not name.isprintable():
                continue
            project = self.project(name)
            for path in (
                "/projects",
                f"/projects/{project}",
                f"/projects/{project}/edit",
                f"/projects/{project}/deactivate",
            ):
                shown = self.visit(path)
                tags = [tag for tag, _ in shown.page.tags]
                self.assertEqual(tags.count("script"), 2, (name, path))
                self.assertNotIn("img", tags, (name, path))
                self.assertNotIn(b"49 ", shown.body, (name, path))
        found = self.visit("/projects?search=%22%3E%3Cimg+src%3Dx%3E")
        self.assertNotIn("img", [tag for tag, _ in found.page.tags])
