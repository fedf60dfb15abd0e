"""Routing of pages: the view of a method and a path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from attrs import frozen

from .visit import Route


@frozen
class Match:
    """
    @ivar routes: by method; empty where there is no such page.
    @ivar names: the segments that stand for the C{{names}} of the path.
    """

    routes: Mapping[str, Route]
    names: Mapping[str, str]


class RouteMap:
    """
    @raise ValueError: two routes have the same method and path.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        self._named: dict[int, list[tuple[tuple[str, ...], dict[str, Route]]]] = {}
        self.paths: list[str] = []
        for route in routes:
            methods = self._methods(route.path)
            if route.method in methods:
                raise ValueError(f"{route.method} {route.path} is there twice")
            methods[route.method] = route

    def _methods(self, path: str) -> dict[str, Route]:
        if "{" not in path:
            return self._exact.setdefault(path, {})
        segments = tuple(path.split("/"))
        same = self._named.setdefault(len(segments), [])
        for known, methods in same:
            if known == segments:
                return methods
        made: dict[str, Route] = {}
        same.append((segments, made))
        return made

    def find(self, path: str) -> Match:
        """
        @param path: below the pages, as it came: percent signs and all.
        """
        exact = self._exact.get(path)
        if exact is not None:
            return Match(exact, {})
        given = path.split("/")
        for segments, methods in self._named.get(len(given), ()):
            names = _fitting(segments, given)
            if names is not None:
                return Match(methods, names)
        return Match({}, {})


def _fitting(segments: tuple[str, ...], given: list[str]) -> dict[str, str] | None:
    names: dict[str, str] = {}
    for wanted, text in zip(segments, given, strict=True):
        if wanted.startswith("{"):
            if not text:
                return None
            names[wanted[1:-1]] = unquote(text)
        elif wanted != text:
            return None
    return names
