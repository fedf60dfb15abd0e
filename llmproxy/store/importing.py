"""
A move of what another proxy has into our database, in one transaction: of the Go original (llm-proxy), or of LiteLLM.

What is there already stays as it is. A row is ours already if its id is there with what never changes, the moment at
which it was made, or the hash of its secret; where the id, the name or the hash is another row's, it is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from attrs import define, field, frozen
from sqlalchemy import select

from ..core.limits.written import text_of
from ..core.masking import Masking
from ..management.importing import GoForm, Row, Unfit, audit_record_of, id_of, name_of, same_moment
from ..providers.registry import provider_of_key
from .audit import append
from .bulk import among
from .importsource import TABLES
from .projectkeys import place
from .schema import audit_events, ended_tokens, projects, tokens
from .secrets import V1, Cipher, KeyRing, Undecipherable, is_sealed

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.audit.record import AuditRecord
    from ..message import Project, Token

MOST_PROBLEMS = 1000
"""Rows whose fault is said; of more their number."""


class WrongKey(Exception):
    """None of the encrypted keys of a source can be opened."""


class Source(Protocol):
    """What L{Import} reads, a L{GoSource<llmproxy.store.importsource.GoSource>} for example."""

    def rows(self, table: str) -> Iterator[Sequence[Row]]:
        """All rows of a table, a few at a time."""


class Form(Protocol):
    """What rows of a source are as values of ours, see L{GoForm<llmproxy.management.importing.GoForm>}."""

    def project(self, row: Row, opened: Callable[[str], str]) -> tuple[Project, str]:
        """
        A project without keys, and its upstream key in clear, C{""} if it has none.

        @param opened: makes of a key as it is stored the key itself; raises L{Unfit}.
        @raise Unfit: it cannot be one.
        """

    def token(self, row: Row, now: float) -> Token:
        """
        @param now: seconds since the epoch.
        @raise Unfit: it cannot be one.
        """

    def remarks(self, row: Row, made: Project | Token) -> Iterable[str]:
        """What of a row that is moved does not come along."""

    def is_same(self, created_at: float, project: Project) -> bool:
        """Whether a project that is there under the same id, and was made at that moment, is this one."""


@frozen
class Remark:
    """What there is to say of a row."""

    table: str
    id: str
    reason: str


@define
class Tally:
    """What became of the rows of a table."""

    found: int = 0
    moved: int = 0
    there: int = 0
    left_out: int = 0


@define
class Outcome:
    """
    @ivar problems: of rows that were left out, the first of them.
    @ivar notes: of rows that were moved.
    """

    tables: dict[str, Tally] = field(factory=lambda: {name: Tally() for name in TABLES})
    problems: list[Remark] = field(factory=list)
    notes: list[Remark] = field(factory=list)

    @property
    def moved(self) -> int:
        return sum(tally.moved for tally in self.tables.values())

    @property
    def left_out(self) -> int:
        return sum(tally.left_out for tally in self.tables.values())

    def leave(self, table: str, row_id: str, reason: str) -> None:
        self.tables[table].left_out += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Remark(table, row_id, reason))

    def note(self, table: str, row_id: str, words: str) -> None:
        if len(self.notes) < MOST_PROBLEMS:
            self.notes.append(Remark(table, row_id, words))


class Import:
    """
    @param target: in a transaction that may write if C{writes}; C{None} where no database is yet.
    @param cipher: opens the keys of the source; C{None} if there is none.
    @param keys: encrypt them anew.
    @param api_for: which API a key is for; C{None} leaves it to the proxy that starts next.
    @param into: ids of projects that are there and take tokens of the source.
    """

    def __init__(
        self,
        source: Source,
        target: Connection | None,
        *,
        cipher: Cipher | None,
        keys: KeyRing,
        api_for: Callable[[str], str | None],
        now: float,
        writes: bool,
        advance: Callable[[int], object] = lambda rows: None,
        form: Form | None = None,
        into: Iterable[str] = (),
    ) -> None:
        self.outcome = Outcome()
        self._source = source
        self._target = target
        self._cipher = cipher
        self._keys = keys
        self._api_for = api_for
        self._now = now
        self._writes = writes
        self._advance = advance
        self._masking = Masking()
        self._form = form or GoForm()
        self._accepted = set(into)
        self._sealed = self._unopened = 0

    def run(
        self,
        opening: Callable[[dict[str, list[Any]]], AuditRecord],
        noted: Callable[[Outcome], AuditRecord],
    ) -> Outcome:
        """
        @param opening: makes the first record of a chain of audit records.
        @param noted: makes the record of the import itself.
        @raise WrongKey: nothing was moved then.
        """
        for rows in self._each("projects"):
            self._take_projects(rows)
        if self._sealed and self._sealed == self._unopened:
            raise WrongKey(self._wrong_key())
        for rows in self._each("tokens"):
            self._take_tokens(rows)
        records = chain(self._records(), self._note(noted))
        first = next(records, None)
        if first is not None and self._writes and self._target is not None:
            append(self._target, opening, chain([first], records), self._now)
        for _ in records:
            pass
        return self.outcome

    def _each(self, table: str) -> Iterator[list[tuple[str, Row]]]:
        tally = self.outcome.tables[table]
        for rows in self._source.rows(table):
            yield [(name_of(row, tally.found + number), row) for number, row in enumerate(rows, 1)]
            tally.found += len(rows)
            self._advance(len(rows))

    # -- projects

    def _take_projects(self, rows: Sequence[tuple[str, Row]]) -> None:
        read: list[tuple[Project, str]] = []
        remarks: dict[str, list[str]] = {}
        for name, row in rows:
            try:
                made = self._form.project(row, self._opened)
            except Unfit as error:
                self.outcome.leave("projects", name, str(error))
                continue
            read.append(made)
            remarks[made[0].id] = [*self._form.remarks(row, made[0])]
        columns = (projects.c.id, projects.c.name, projects.c.created_at)
        by_id = {row.id: row for row in self._find(columns, projects.c.id, [each.id for each, _ in read])}
        by_name = {row.name: row.id for row in self._find(columns, projects.c.name, [each.name for each, _ in read])}
        new = []
        for project, key in read:
            known = by_id.get(project.id)
            if known is not None and self._form.is_same(known.created_at, project):
                self.outcome.tables["projects"].there += 1
                self._accepted.add(project.id)
            elif known is not None or project.id in self._accepted:
                self.outcome.leave("projects", project.id, "another project has this id")
            elif project.name in by_name:
                self.outcome.leave("projects", project.id, f"its name is that of project {by_name[project.name]}")
            else:
                by_name[project.name] = project.id
                self._accepted.add(project.id)
                self.outcome.tables["projects"].moved += 1
                new.append(self._project_row(project, key))
                for words in remarks[project.id]:
                    self.outcome.note("projects", project.id, words)
        self._insert(projects, new)

    def _project_row(self, project: Project, key: str) -> dict[str, Any]:
        api = self._api_for(key) if key else None
        if api == "":
            words = f"its key looks like one of {provider_of_key(key)}, and no API leads there: it is sent to none"
            self.outcome.note("projects", project.id, f"{words}; --api says which it is for")
        return {
            "id": project.id,
            "name": project.name,
            "api_key": self._keys.seal(key, place(project.id)),
            "api_key_for": api,
            "is_active": project.is_active,
            "deactivated_at": project.deactivated_at,
            "created_at": project.created_at,
            "updated_at": project.updated_at,
            "version": project.version,
            "limits": text_of(project.limits),
        }

    def _opened(self, stored: str) -> str:
        if not is_sealed(stored):
            return stored
        self._sealed += 1
        try:
            if not stored.startswith(V1):
                raise Undecipherable("it is encrypted in a form that llm-proxy does not have")
            if self._cipher is None:
                raise Undecipherable("it is encrypted, and no key is given")
            return self._cipher.open(stored, "")
        except (Undecipherable, UnicodeDecodeError) as error:
            self._unopened += 1
            words = str(error) if isinstance(error, Undecipherable) else "decryption failed"
            raise Unfit(f"api_key: {words}") from None

    def _wrong_key(self) -> str:
        given = "IMPORT_ENCRYPTION_KEY (or ENCRYPTION_KEY) opens" if self._cipher is not None else "no key is given for"
        which = "none" if self._cipher is not None else "any"
        return f"{given} {which} of its {self._sealed} encrypted keys: give the one that llm-proxy has"

    # -- tokens

    def _take_tokens(self, rows: Sequence[tuple[str, Row]]) -> None:
        read: list[Token] = []
        remarks: dict[str, list[str]] = {}
        for name, row in rows:
            try:
                token = self._form.token(row, self._now)
            except Unfit as error:
                self.outcome.leave("tokens", name, str(error))
                continue
            read.append(token)
            remarks[token.id] = [*self._form.remarks(row, token)]
        ids, hashes = [each.id for each in read], [each.token_hash for each in read]
        columns = (tokens.c.id, tokens.c.token_hash, tokens.c.previous_hash, tokens.c.created_at)
        by_id: dict[str, Any] = {row.id: row for row in self._find(columns, tokens.c.id, ids)}
        gone = {row.id for row in self._find((ended_tokens.c.id,), ended_tokens.c.id, ids)}
        owners = {row.token_hash: row.id for row in self._find(columns, tokens.c.token_hash, hashes)}
        owners |= {row.previous_hash: row.id for row in self._find(columns, tokens.c.previous_hash, hashes)}
        new = []
        for token in read:
            why = self._judged(token, by_id.get(token.id), gone, owners)
            if why is None:
                owners[token.token_hash] = token.id
                by_id[token.id] = token
                self.outcome.tables["tokens"].moved += 1
                new.append(_token_row(token))
                for words in remarks[token.id]:
                    self.outcome.note("tokens", token.id, words)
            elif why:
                self.outcome.leave("tokens", token.id, why)
            else:
                self.outcome.tables["tokens"].there += 1
        self._insert(tokens, new)

    def _judged(self, token: Token, known: Any, gone: set[str], owners: Mapping[str, str]) -> str | None:
        """Why it is left out; C{""} if it is there already, C{None} if it can be moved."""
        owner = owners.get(token.token_hash)
        if known is not None:
            # One that was given another secret here since is the same still.
            same = owner == token.id or same_moment(known.created_at, token.created_at)
            return "" if same else "another token has this id"
        if owner is not None:
            return "" if token.id == id_of(token.token_hash) else f"its secret is that of token {owner}"
        if token.id in gone:
            return ""
        # Of this source's own projects: one that is here under its id, and is another, has another's key.
        return None if token.project_id in self._accepted else "its project is not there, or was left out"

    # -- audit

    def _records(self) -> Iterator[AuditRecord]:
        tally = self.outcome.tables["audit_events"]
        for rows in self._each("audit_events"):
            read: dict[str, AuditRecord] = {}
            for name, row in rows:
                try:
                    record = audit_record_of(row, self._masking)
                except Unfit as error:
                    self.outcome.leave("audit_events", name, str(error))
                else:
                    read[record.id] = record
            there = {row.id for row in self._find((audit_events.c.id,), audit_events.c.id, list(read))}
            tally.there += len(there)
            tally.moved += len(read) - len(there)
            yield from (record for record in read.values() if record.id not in there)

    def _note(self, noted: Callable[[Outcome], AuditRecord]) -> Iterator[AuditRecord]:
        if self.outcome.moved:
            yield noted(self.outcome)

    # -- the target

    def _find(self, columns: Sequence[Any], column: Any, values: Sequence[str]) -> Sequence[Any]:
        if self._target is None or not values:
            return ()
        query = select(*columns).where(among(self._target.dialect.name, column, values))
        return self._target.execute(query).all()

    def _insert(self, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows and self._writes and self._target is not None:
            self._target.execute(table.insert(), rows)


def _token_row(token: Token) -> dict[str, Any]:
    names = (column.name for column in tokens.columns if column.name not in ("leased", "limits"))
    return {name: getattr(token, name) for name in names} | {"leased": 0, "limits": text_of(token.limits)}
