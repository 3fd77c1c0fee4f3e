"""Turns the rows of ``evidence.csv`` into checklists, because its path logic is a small language.

The language is described in ``data/README.md``: paths of one code are alternatives, ``all_of`` rows
are needed when ``required``, each ``any_of:<group>`` needs one of its rows.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from disputes.rulebook.tables import EVERY, Category, EvidenceRow
from disputes.terms import AnyOf, Checklist, EvidencePath

_Key = tuple[str, str]


def checklists(
    rows: Iterable[EvidenceRow], categories: Iterable[Category]
) -> Mapping[_Key, Checklist]:
    """Checklist of every (network, code): its own rows, or its category's as suggestions.

    A code without rows of its own is *unruled*: no source says what is enough, so nothing of its
    category is required. The categories themselves stand under (``*``, ``category:...``).
    """
    by_key: dict[_Key, list[EvidenceRow]] = defaultdict(list)
    for row in rows:
        by_key[row.network, row.reason_code].append(row)
    lists = {
        key: Checklist(ruled=key[0] != EVERY, paths=_paths(own)) for key, own in by_key.items()
    }
    for entry in categories:
        lists.setdefault((entry.network.value, entry.code), lists[EVERY, entry.category])
    return lists


def _paths(rows: Iterable[EvidenceRow]) -> tuple[EvidencePath, ...]:
    by_path: dict[str, list[EvidenceRow]] = defaultdict(list)
    for row in rows:
        if row.path_logic != "none":  # listed by the table to say that it does not help
            by_path[row.path].append(row)
    return tuple(_path(name, members) for name, members in by_path.items())


def _path(name: str, rows: Iterable[EvidenceRow]) -> EvidencePath:
    needed: list[str] = []
    optional: list[str] = []
    groups: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        logic, _, group = row.path_logic.partition(":")
        if logic == "any_of":
            groups[group].append(row.evidence_type)
        else:
            (needed if row.required else optional).append(row.evidence_type)
    return EvidencePath(
        path=name, all_of=tuple(needed), any_of=_distinct(groups), optional=tuple(optional)
    )


def _distinct(groups: Mapping[str, list[str]]) -> tuple[AnyOf, ...]:
    """Groups such that no single evidence type can stand for two of them.

    CE 3.0 wants a second element that is another than the anchor (Visa Core Rules 11.7.5.6). A
    group that holds a whole earlier group therefore becomes one group per shared type, each without
    that type: together they ask for two different ones.
    """
    distinct: list[AnyOf] = []
    for place, (group, types) in enumerate(groups.items()):
        earlier = list(groups.values())[:place]
        shared = [kind for other in earlier for kind in other if kind in types]
        if not shared:
            distinct.append(AnyOf(group=group, types=tuple(types)))
        for kind in shared:
            others = tuple(other for other in types if other != kind)
            distinct.append(AnyOf(group=f"{group}_besides_{kind}", types=others))
    return tuple(distinct)
