"""Names of projects by their ids, in one question where the store knows how."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from ..interfaces import IProjectNames

if TYPE_CHECKING:
    from ..interfaces import IProjectStore

ONE_BY_ONE = 50
"""Above it, a store of an application's own is asked for all of its projects."""


async def project_names(ids: Collection[str], projects: IProjectStore) -> dict[str, str]:
    """The names of those projects that there are."""
    if not ids:
        return {}
    if IProjectNames.providedBy(projects):
        named: dict[str, str] = await projects.names(sorted(ids))
        return named
    if len(ids) > ONE_BY_ONE:
        found = await projects.list()
    else:
        found = [project for each in sorted(ids) if (project := await projects.get(each)) is not None]
    return {each.id: each.name for each in found if each.id in ids}
