"""GET requests: resources, lists, actions and the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from werkzeug.wrappers import Request

from localcloud.hetzner import catalogue
from localcloud.hetzner.collection import Answer, Body, Collection
from localcloud.hetzner.errors import invalid_input, not_found, unsupported
from localcloud.hetzner.labels import Selector
from localcloud.hetzner.paging import ordered, page
from localcloud.hetzner.paths import concerns, find_collection, find_record, no_such_path, parse_id
from localcloud.hetzner.project import Project, Record

_ACTION_SORTS = ("id", "command", "status", "started", "finished")


def get(project: Project, collections: Mapping[str, Collection], path: list[str], request: Request) -> Answer:
    """Answer a GET request."""
    match path:
        case ["actions"] if "id" in request.args:
            return Answer(200, _list_actions(project, list(project.data["actions"].values()), request))
        case ["actions", identity]:
            return Answer(200, {"action": _show_action(project, identity)})
        case [name] if name in catalogue.LISTS:
            return Answer(200, _list_catalogue(project, name, request))
        case [name, identity] if name in catalogue.LISTS:
            one, _ = catalogue.LISTS[name]
            return Answer(200, {one: _in_stock(project, name, catalogue.find(name, parse_id(identity)))})
    entry, rest = find_collection(collections, path)
    match rest:
        case []:
            return Answer(200, _list(project, entry, request))
        case ["actions"]:
            of_kind = (action for action in project.data["actions"].values() if concerns(action, entry.one))
            return Answer(200, _list_actions(project, list(of_kind), request))
        case ["actions", identity]:
            return Answer(200, {"action": _show_action(project, identity, entry)})
        case [identity]:
            return Answer(200, {entry.one: entry.show(project, find_record(project, entry, identity))})
        case [identity, "members"] if entry.members is not None:
            return Answer(200, entry.members(project, find_record(project, entry, identity), request.args))
        case [identity, "actions"]:
            # The actions of something deleted can still be read.
            number = find_record(project, entry, identity)["id"] if entry.by_name else parse_id(identity)
            about = (one for one in project.data["actions"].values() if concerns(one, entry.one, number))
            return Answer(200, _list_actions(project, list(about), request))
        case [identity, part, *below] if entry.part is not None and part == entry.part.name:
            return entry.part.get(project, find_record(project, entry, identity), below, request.args)
        case [_, "zonefile"]:
            raise unsupported("zone files")
        case [_, "actions", identity]:
            return Answer(200, {"action": _show_action(project, identity, entry)})
        case [_, "metrics"]:
            raise unsupported(f"metrics of {entry.words}s")
    raise no_such_path(path)


def _list(project: Project, entry: Collection, request: Request) -> Body:
    shown = [entry.show(project, record) for record in project.all(entry.name)]
    for name in request.args:
        wanted = request.args.getlist(name)
        if name == "name":
            shown = [one for one in shown if one["name"] in wanted]
        elif name == "label_selector":
            matches = _selector(wanted[-1])
            shown = [one for one in shown if matches(one["labels"])]
        elif name in entry.filters:
            shown = [one for one in shown if entry.filters[name](one, wanted)]
        elif name not in ("sort", "page", "per_page"):
            raise invalid_input({name: ["is not a known query parameter"]})
    return page(entry.name, ordered(shown, request.args, entry.sorts), request.args)


def _list_catalogue(project: Project, name: str, request: Request) -> Body:
    _, entries = catalogue.LISTS[name]
    query = request.args
    known = {"name", "sort", "page", "per_page"}
    found = [entry for entry in entries if "name" not in query or entry["name"] in query.getlist("name")]
    if name == "images":
        known |= {"type", "status", "architecture", "include_deprecated", "label_selector", "bound_to"}
        for key in ("type", "status", "architecture"):
            found = [entry for entry in found if key not in query or entry[key] in query.getlist(key)]
        if query.get("include_deprecated") not in ("true", "True", "1"):
            found = [entry for entry in found if entry["deprecation"] is None]
        if "label_selector" in query or "bound_to" in query:
            found = []  # the images of the system have no labels and belong to no server
    for key in query:
        if key not in known:
            raise invalid_input({key: ["is not a known query parameter"]})
    shown = [_in_stock(project, name, entry) for entry in ordered(found, query, ("id", "name"))]
    return page(name, shown, query)


def _in_stock(project: Project, name: str, entry: catalogue.Entry) -> catalogue.Entry:
    return catalogue.with_stock(entry, project.settings.sold_out) if name == "server_types" else entry


def _list_actions(project: Project, actions: list[Record], request: Request) -> Body:
    query = request.args
    shown = [project.show_action(action) for action in actions]
    for key in ("id", "status"):
        if key in query:
            shown = [one for one in shown if str(one[key]) in query.getlist(key)]
    return page("actions", ordered(shown, query, _ACTION_SORTS), query)


def _show_action(project: Project, identity: str, entry: Collection | None = None) -> Body:
    action = project.data["actions"].get(identity)
    if action is None or (entry is not None and not concerns(action, entry.one)):
        raise not_found("action", identity)
    return project.show_action(action)


def _selector(text: str) -> Callable[[dict[str, str]], bool]:
    try:
        return Selector(text).matches
    except ValueError as fault:
        raise invalid_input({"label_selector": [str(fault)]}) from None
