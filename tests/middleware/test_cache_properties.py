"""
Whatever is served could have been served by upstream to that very request.

An upstream that is a model answers, changes and fails as hypothesis likes; every answer that a client gets says whom
it was made for, of which version and when, and is held against what upstream said of it.
"""

from __future__ import annotations

from typing import Any

from attrs import define, evolve, field
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import CacheSettings
from llmproxy.bodies import BytesBody
from llmproxy.core.caching.control import CacheControl, parse
from llmproxy.core.caching.dates import format_date
from llmproxy.core.fields import first
from llmproxy.errors import NotCached, UpstreamReset
from llmproxy.message import ApiRequest, ApiResponse, Field
from llmproxy.middleware.caching.lookup import MOST_TRIES
from llmproxy.middleware.caching.state import HELD

from ..properties import examples
from .caching.case import Answered, CacheTestCase, principal
from .fakes import HeldBody

CONTROLS = (
    *[b"public, max-age=30"] * 8,
    b"max-age=30",
    b"max-age=30, must-revalidate",
    b"public, max-age=30, private",
    b"public, max-age=30, no-store",
    b"public, max-age=30, no-cache",
    b"public, max-age=0",
    b"s-maxage=10, max-age=60",
    b"public, max-age=10, stale-while-revalidate=20",
    b"public, max-age=10, stale-if-error=20",
    b"",
)
WANTED = (*[b""] * 12, b"no-cache", b"max-age=5", b"max-stale=15", b"min-fresh=10", b"no-store", b"only-if-cached")


@define
class Step:
    """One thing that happens."""

    kind: str
    project: str
    target: bytes
    language: bytes
    wanted: bytes
    control: bytes
    varies: bool
    tagged: bool
    mood: str


STEPS = st.builds(
    Step,
    st.sampled_from(["get", "get", "get", "get", "head", "change", "pass", "unseen", "release", "leave"]),
    st.sampled_from(["a", "a", "a", "b"]),
    st.sampled_from([b"/1", b"/1", b"/2"]),
    st.sampled_from([b"de", b"en"]),
    st.sampled_from(WANTED),
    st.sampled_from(CONTROLS),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["at once", "at once", "later", "later", "flowing", "cut", "error", "away"]),
)


def step(kind: str, language: bytes = b"de", mood: str = "at once", project: str = "a") -> Step:
    return Step(kind, project, b"/1", language, b"", b"public, max-age=30", True, False, mood)


UNSHAREABLE = (evolve(step("get", b"en", "later"), control=b"max-age=30"), 0)

TOGETHER = [(step("get", mood="later"), 1), (step("get", b"en"), 1)]
"""Two who wait for one answer, which is for one of them only."""

OUTDATED = [(step("get", mood="later"), 1), (step("change"), 1), (step("release"), 1), (step("get"), 1)]
"""An answer that was on its way when what it tells of was changed."""

IN_VAIN = [(step("get", mood="later"), 0), *[(step("get"), 0)] * 4, (step("get", b"en"), 0), UNSHAREABLE]
"""Many who wait for one answer after the other, none of which is for them, until they go by themselves."""

LEAVING = [(step("get", mood="flowing"), 1), (step("get"), 1), (step("leave"), 1), (step("leave"), 1)]
"""Two who wait for one answer, and leave one after the other."""


@define
class Word:
    """What upstream said of a version, and when: with a whole answer or with a 304."""

    at: float
    control: CacheControl
    request: ApiRequest = field(repr=False)


@define
class Upstream:
    """
    Each project has its own data. A version is named by all that it depends on.

    @ivar said: by the name of a version.
    @ivar away: when it gave no answer.
    @ivar changed: when a change came through the cache, by project and target.
    """

    clock: Any
    step: Step | None = None
    versions: dict[tuple[str, bytes], int] = field(factory=dict)
    said: dict[bytes, list[Word]] = field(factory=dict)
    changed: dict[tuple[str, bytes], list[float]] = field(factory=dict)
    held: list[Any] = field(factory=list)
    away: list[float] = field(factory=list)

    def respond(self, request: ApiRequest) -> Deferred[ApiResponse]:
        step = self.step
        assert step is not None
        if step.mood == "away":
            self.away.append(self.clock.seconds())
            return fail(UpstreamReset())
        response = self.answer(request, step)
        if step.mood != "later":
            return succeed(response)
        waiting: Deferred[ApiResponse] = Deferred()
        self.held.append(lambda: waiting.callback(response))
        return waiting

    def answer(self, request: ApiRequest, step: Step) -> ApiResponse:
        date = (b"Date", format_date(self.clock.seconds()))
        if step.mood == "error":
            return ApiResponse(503, b"", [date], BytesBody(b"down"))
        project = request.principal.project.id
        version = self.versions.setdefault((project, request.target), 0)
        language = (first(request.fields, b"accept-language") or b"") if step.varies else b"-"
        name = b"%s %s %s %d" % (project.encode(), request.target, language, version)
        fields: list[Field] = [date, (b"Cache-Control", step.control)]
        fields += [(b"Vary", b"Accept-Language")] if step.varies else []
        fields += [(b"ETag", b'"' + name.replace(b" ", b"_") + b'"')] if step.tagged else []
        if request.method not in (b"GET", b"HEAD"):
            self.versions[project, request.target] += 1
            return ApiResponse(204, b"", [date])
        self.said.setdefault(name, []).append(Word(self.clock.seconds(), parse([step.control]), request))
        if step.tagged and first(request.fields, b"if-none-match") == fields[-1][1]:
            return ApiResponse(304, b"", fields)
        if request.method == b"HEAD":
            return ApiResponse(200, b"", fields)
        return ApiResponse(200, b"", fields, self.body(name, step.mood))

    def body(self, name: bytes, mood: str) -> Any:
        content = b"<" + name + b">"
        if mood not in ("flowing", "cut"):
            return BytesBody(content)
        body = HeldBody()

        def flow() -> None:
            if body.consumer is None or body.done.called:
                return
            body.write(content[:3])
            if mood == "cut":
                body.fail(UpstreamReset())
            else:
                body.write(content[3:])
                body.end()

        self.held.append(flow)
        return body

    def release(self) -> None:
        held, self.held = self.held, []
        for go in held:
            go()


class ModelTests(SynchronousTestCase):
    @example(TOGETHER, False)
    @example(OUTDATED, False)
    @example(IN_VAIN, False)
    @example(LEAVING, False)
    @settings(max_examples=examples(400), deadline=None)
    @given(st.lists(st.tuples(STEPS, st.sampled_from([0, 0, 1, 6, 12, 40])), min_size=3, max_size=25), st.booleans())
    def test_served(self, steps: list[tuple[Step, int]], shared: bool) -> None:
        """
        Nobody gets what upstream would not, at that moment, have let this cache give them; in the end everybody who
        stayed has an answer, and nothing is on its way any more.
        """
        run = Run(shared)
        for step, seconds in steps:
            run.take(step)
            run.pass_time(seconds)
        for _ in range(MOST_TRIES + 2):
            # Those who waited for one another in vain go by themselves in the end.
            run.upstream.release()
        run.check_all()
        self.assertEqual(run.wrong, [])
        self.assertEqual(run.open, [])
        self.assertTrue(run.case.cache.idle)
        self.assertEqual(run.case.cache.budget.left, HELD)


class Run:
    def __init__(self, shared: bool) -> None:
        self.case = CacheTestCase()
        self.case.settings = CacheSettings(scope="shared" if shared else "project")
        self.case.setUp()
        self.shared = shared
        self.upstream = Upstream(self.case.clock)
        self.case.inner = self.upstream.respond  # type: ignore[assignment]
        self.open: list[tuple[ApiRequest, Step, float, list[Any]]] = []
        self.responding: dict[int, Deferred[ApiResponse]] = {}
        self.wrong: list[str] = []

    def pass_time(self, seconds: int) -> None:
        # No two things happen at one time.
        self.case.clock.advance(seconds + 0.01)

    def take(self, step: Step) -> None:
        self.upstream.step = step
        key = (step.project, step.target)
        if step.kind == "release":
            self.upstream.release()
        elif step.kind == "unseen":
            self.upstream.versions[key] = self.upstream.versions.get(key, 0) + 1
        elif step.kind == "leave":
            self.leave()
        elif step.kind != "pass":
            self.send(step)
        self.check_all()

    def send(self, step: Step) -> None:
        method = {"get": b"GET", "head": b"HEAD", "change": b"DELETE"}[step.kind]
        if method == b"DELETE":
            self.upstream.step = step = evolve(step, mood="at once")
        fields = [b"Accept-Language: " + step.language]
        fields += [b"Cache-Control: " + step.wanted] if step.wanted else []
        before = self.upstream.versions.get((step.project, step.target))
        responding = self.case.send(*fields, target=step.target, method=method, who=principal(step.project))
        # only-if-cached keeps a DELETE from upstream.
        if method == b"DELETE" and self.upstream.versions.get((step.project, step.target)) != before:
            changes = self.upstream.changed.setdefault((step.project, step.target), [])
            changes.append(self.case.clock.seconds())
        got: list[Any] = []
        self.open.append((self.case.request, step, self.case.clock.seconds(), got))
        self.responding[id(self.case.request)] = responding
        responding.addCallbacks(lambda response: got.append(Answered(response)), lambda reason: got.append(reason))

    def leave(self) -> None:
        """The client that has waited the longest leaves, before the head or within the body."""
        # Time has passed since: what failed meanwhile has nobody who could leave.
        self.check_all()
        if not self.open:
            return
        request, _, _, got = self.open.pop(0)
        if got:
            got[0].response.body.stopProducing()
        else:
            self.responding[id(request)].cancel()

    def check_all(self) -> None:
        still = []
        for entry in self.open:
            request, step, asked_at, got = entry
            if not got or (isinstance(got[0], Answered) and got[0].response.body is not None and not got[0].ended):
                still.append(entry)
            elif isinstance(got[0], Answered):
                self.check(request, step, asked_at, got[0])
            else:
                got[0].trap(UpstreamReset, NotCached)
        self.open = still

    def check(self, request: ApiRequest, step: Step, asked_at: float, got: Answered) -> None:
        if got.status != 200 or request.method != b"GET" or not got.whole:
            return
        if not (got.body.startswith(b"<") and got.body.endswith(b">")):
            self.wrong.append(f"{got.body!r} is a part only")
            return
        name = got.body[1:-1]
        project, target, language, _ = name.split(b" ")
        if target != request.target or language not in (b"-", step.language):
            self.wrong.append(f"{request.target!r} in {step.language!r} was answered with {name!r}")
        words = self.upstream.said[name]
        own = any(word.at >= asked_at and word.request.principal is request.principal for word in words)
        if own:
            return
        if project.decode() != step.project and not self.shared:
            self.wrong.append(f"{step.project} was answered with {name!r}")
        if not any(self.allows(word, step, asked_at, project.decode(), target) for word in words):
            self.wrong.append(f"{name!r} was served at {asked_at} for {step.wanted!r}, but upstream said {words}")

    def allows(self, word: Word, step: Step, now: float, project: str, target: bytes) -> bool:
        """Whether what upstream said lets a cache give it to somebody who asked at C{now}."""
        control = word.control
        if control.no_store or control.private or control.no_cache or word.at < self.since(project, target, now):
            return False
        permitted = control.public or control.s_maxage is not None or (not self.shared and control.must_revalidate)
        lifetime = control.max_age if control.s_maxage is None else control.s_maxage
        if not permitted or lifetime is None:
            return False
        never_stale = control.must_revalidate or control.s_maxage is not None
        allowed = float(lifetime)
        if not never_stale:
            asked = parse([step.wanted])
            stale = max(control.stale_while_revalidate or 0, control.stale_if_error or 0, asked.max_stale or 0)
            allowed += stale
            limited = control.stale_if_error or asked.max_stale
            if not limited and any(at >= now for at in self.upstream.away):
                # RFC 9111 section 4.2.4: cut off, and nobody has forbidden it.
                refused = asked.no_cache or asked.min_fresh is not None or asked.max_age is not None
                allowed = allowed if refused else float("inf")
        return now - word.at <= allowed

    def since(self, project: str, target: bytes, now: float) -> float:
        """What was said before the last change that came through here counts no more."""
        tenants = ("a", "b") if self.shared else (project,)
        changes = [at for tenant in tenants for at in self.upstream.changed.get((tenant, target), ()) if at <= now]
        return max(changes, default=0.0)
