"""The emulator as a WSGI application: authentication, routing, and answers in the API's form."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from localcloud.github import access, accounts, actions, branches, environments, git, issues, memberships, rulesets
from localcloud.github.call import Answer, Call
from localcloud.github.errors import ApiError, MovedError, not_found, unsupported
from localcloud.github.repositories import operations
from localcloud.instance.state import JsonStore

# The prefix of GitHub Enterprise Server, which clients with a configured base URL expect.
_PREFIX = "/api/v3"
_VERSIONS = ("2022-11-28", "2026-03-10")
_REQUESTS_AN_HOUR = 5000
# The end of a token that only reads.
READING = "_reading"
_BY_ID = re.compile(r"/repositories/(\d+)(/.*)?")


def _root(call: Call) -> Answer:
    paths = {
        "current_user_url": "/user",
        "current_user_repositories_url": "/user/repos{?type,page,per_page,sort}",
        "organization_url": "/orgs/{org}",
        "organization_repositories_url": "/orgs/{org}/repos{?type,page,per_page,sort}",
        "repository_url": "/repos/{owner}/{repo}",
        "rate_limit_url": "/rate_limit",
        "user_url": "/users/{user}",
    }
    return Answer(200, {name: call.api + path for name, path in paths.items()})


def _rate_limit(_call: Call) -> Answer:
    core = {"limit": _REQUESTS_AN_HOUR, "used": 0, "remaining": _REQUESTS_AN_HOUR, "reset": _reset()}
    return Answer(200, {"resources": {"core": core}, "rate": core})


def _current_user(call: Call) -> Answer:
    counted = operations.count(call, accounts.USER)
    return Answer(200, accounts.own(accounts.USER, call.api, call.web, *counted))


def _user(call: Call, user: str) -> Answer:
    """Return an account. A login with repositories is an organisation; others, except the token's user, are people."""
    person = call.accounts.person(user)
    if person is None or person == accounts.USER or any(operations.count(call, user)):
        login = call.owner(user)
        return Answer(200, accounts.public(login, call.api, call.web, operations.count(call, login)[0]))
    shown = accounts.public(person, call.api, call.web, 0)
    return Answer(200, {**shown, **accounts.person(person, call.api, call.web)})


def _organisation(call: Call, org: str) -> Answer:
    login = call.accounts.organisation(org)
    if login is None:
        raise not_found()
    return Answer(
        200, accounts.organisation(login, call.api, call.web, call.accounts.plan, operations.count(call, login))
    )


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    handler: Callable[..., Answer]
    documentation: str


_REPO = "/repos/<owner>/<repo>"
_RULESET = f"{_REPO}/rulesets/<int:ruleset>"
_MEMBERSHIP = "/orgs/<org>/memberships/<user>"
_ENVIRONMENT = f"{_REPO}/environments/<environment>"
_POLICIES = f"{_ENVIRONMENT}/deployment-branch-policies"
_POLICY = f"{_POLICIES}/<int:policy>"
_PERMISSIONS = f"{_REPO}/actions/permissions"
_SUBJECT = f"{_REPO}/actions/oidc/customization/sub"
_ISSUE = f"{_REPO}/issues/<int:issue>"

# All operations.
OPERATIONS = (
    Operation("GET", "/", _root, "meta/meta#github-api-root"),
    Operation(
        "GET", "/rate_limit", _rate_limit,
        "rate-limit/rate-limit#get-rate-limit-status-for-the-authenticated-user",
    ),
    Operation("GET", "/user", _current_user, "users/users#get-the-authenticated-user"),
    Operation("GET", "/user/repos", operations.list_own, "repos/repos#list-repositories-for-the-authenticated-user"),
    Operation(
        "POST", "/user/repos", operations.create_for_user,
        "repos/repos#create-a-repository-for-the-authenticated-user",
    ),
    Operation("GET", "/users/<user>", _user, "users/users#get-a-user"),
    Operation("GET", "/users/<user>/repos", operations.list_of_user, "repos/repos#list-repositories-for-a-user"),
    Operation("GET", "/orgs/<org>", _organisation, "orgs/orgs#get-an-organization"),
    Operation(
        "GET", "/orgs/<org>/repos", operations.list_of_organisation,
        "repos/repos#list-organization-repositories",
    ),
    Operation(
        "POST", "/orgs/<org>/repos", operations.create_in_organisation,
        "repos/repos#create-an-organization-repository",
    ),
    Operation("GET", _REPO, operations.get, "repos/repos#get-a-repository"),
    Operation("PATCH", _REPO, operations.edit, "repos/repos#update-a-repository"),
    Operation("DELETE", _REPO, operations.delete, "repos/repos#delete-a-repository"),
    Operation("GET", f"{_REPO}/topics", operations.get_topics, "repos/repos#get-all-repository-topics"),
    Operation("PUT", f"{_REPO}/topics", operations.replace_topics, "repos/repos#replace-all-repository-topics"),
    Operation(
        "GET", f"{_REPO}/vulnerability-alerts", operations.get_alerts,
        "repos/repos#check-if-vulnerability-alerts-are-enabled-for-a-repository",
    ),
    Operation(
        "PUT", f"{_REPO}/vulnerability-alerts", operations.enable_alerts,
        "repos/repos#enable-vulnerability-alerts",
    ),
    Operation(
        "DELETE", f"{_REPO}/vulnerability-alerts", operations.disable_alerts,
        "repos/repos#disable-vulnerability-alerts",
    ),
    Operation(
        "GET", f"{_REPO}/automated-security-fixes", operations.get_security_fixes,
        "repos/repos#check-if-dependabot-security-updates-are-enabled-for-a-repository",
    ),
    Operation(
        "PUT", f"{_REPO}/automated-security-fixes", operations.enable_security_fixes,
        "repos/repos#enable-dependabot-security-updates",
    ),
    Operation(
        "DELETE", f"{_REPO}/automated-security-fixes", operations.disable_security_fixes,
        "repos/repos#disable-dependabot-security-updates",
    ),
    Operation("GET", f"{_REPO}/branches", branches.list_branches, "branches/branches#list-branches"),
    Operation("GET", f"{_REPO}/branches/<path:branch>", branches.get_branch, "branches/branches#get-a-branch"),
    Operation(
        "POST", f"{_REPO}/branches/<path:branch>/rename", branches.rename_branch,
        "branches/branches#rename-a-branch",
    ),
    Operation("GET", f"{_REPO}/git/ref/<path:ref>", branches.get_ref, "git/refs#get-a-reference"),
    Operation(
        "GET", f"{_REPO}/git/matching-refs/<path:ref>", branches.matching_refs,
        "git/refs#list-matching-references",
    ),
    Operation("POST", f"{_REPO}/git/refs", branches.create_ref, "git/refs#create-a-reference"),
    Operation("GET", f"{_REPO}/rulesets", rulesets.list_rulesets, "repos/rules#get-all-repository-rulesets"),
    Operation("POST", f"{_REPO}/rulesets", rulesets.create, "repos/rules#create-a-repository-ruleset"),
    Operation("GET", _RULESET, rulesets.get, "repos/rules#get-a-repository-ruleset"),
    Operation("PUT", _RULESET, rulesets.edit, "repos/rules#update-a-repository-ruleset"),
    Operation("DELETE", _RULESET, rulesets.delete, "repos/rules#delete-a-repository-ruleset"),
    Operation("GET", "/orgs/<org>/members", memberships.list_members, "orgs/members#list-organization-members"),
    Operation("GET", _MEMBERSHIP, memberships.get, "orgs/members#get-organization-membership-for-a-user"),
    Operation("PUT", _MEMBERSHIP, memberships.put, "orgs/members#set-organization-membership-for-a-user"),
    Operation("DELETE", _MEMBERSHIP, memberships.delete, "orgs/members#remove-organization-membership-for-a-user"),
    Operation(
        "GET", "/orgs/<org>/outside_collaborators", access.list_outside_collaborators,
        "orgs/outside-collaborators#list-outside-collaborators-for-an-organization",
    ),
    Operation(
        "GET", f"{_REPO}/collaborators", access.list_collaborators,
        "collaborators/collaborators#list-repository-collaborators",
    ),
    Operation(
        "PUT", f"{_REPO}/collaborators/<user>", access.put_collaborator,
        "collaborators/collaborators#add-a-repository-collaborator",
    ),
    Operation(
        "DELETE", f"{_REPO}/collaborators/<user>", access.delete_collaborator,
        "collaborators/collaborators#remove-a-repository-collaborator",
    ),
    Operation("GET", f"{_REPO}/keys", access.list_keys, "deploy-keys/deploy-keys#list-deploy-keys"),
    Operation("POST", f"{_REPO}/keys", access.create_key, "deploy-keys/deploy-keys#create-a-deploy-key"),
    Operation(
        "DELETE", f"{_REPO}/keys/<int:identity>", access.delete_key, "deploy-keys/deploy-keys#delete-a-deploy-key"
    ),
    Operation(
        "GET", f"{_REPO}/environments", environments.list_environments, "deployments/environments#list-environments"
    ),
    Operation("GET", _ENVIRONMENT, environments.get, "deployments/environments#get-an-environment"),
    Operation("PUT", _ENVIRONMENT, environments.put, "deployments/environments#create-or-update-an-environment"),
    Operation("DELETE", _ENVIRONMENT, environments.delete, "deployments/environments#delete-an-environment"),
    *(
        Operation(method, path, handler, f"deployments/branch-policies#{words}-a-deployment-branch-policy")
        for method, path, handler, words in (
            ("GET", _POLICIES, environments.list_policies, "list"),
            ("POST", _POLICIES, environments.create_policy, "create"),
            ("GET", _POLICY, environments.get_policy, "get"),
            ("PUT", _POLICY, environments.edit_policy, "update"),
            ("DELETE", _POLICY, environments.delete_policy, "delete"),
        )
    ),
    *(
        Operation(method, path, handler, f"actions/{words}-for-a-repository")
        for method, path, handler, words in (
            ("GET", _PERMISSIONS, actions.get_permissions, "permissions#get-github-actions-permissions"),
            ("PUT", _PERMISSIONS, actions.put_permissions, "permissions#set-github-actions-permissions"),
            ("GET", f"{_PERMISSIONS}/selected-actions", actions.get_selected, "permissions#get-allowed-actions"),
            ("PUT", f"{_PERMISSIONS}/selected-actions", actions.put_selected, "permissions#set-allowed-actions"),
            ("GET", f"{_PERMISSIONS}/workflow", actions.get_workflow, "permissions#get-default-workflow-permissions"),
            ("PUT", f"{_PERMISSIONS}/workflow", actions.put_workflow, "permissions#set-default-workflow-permissions"),
            ("GET", _SUBJECT, actions.get_subject, "oidc#get-the-customization-template-for-an-oidc-subject-claim"),
            ("PUT", _SUBJECT, actions.put_subject, "oidc#set-the-customization-template-for-an-oidc-subject-claim"),
        )
    ),
    *(
        Operation(method, f"{holder}/variables{path}", handler, f"actions/variables#{words}-{whose}-variable")
        for holder, whose in ((f"{_REPO}/actions", "a-repository"), (_ENVIRONMENT, "an-environment"))
        for method, path, handler, words in (
            ("GET", "", actions.list_variables, "list"),
            ("POST", "", actions.create_variable, "create"),
            ("GET", "/<name>", actions.get_variable, "get"),
            ("PATCH", "/<name>", actions.edit_variable, "update"),
            ("DELETE", "/<name>", actions.delete_variable, "delete"),
        )
    ),
    Operation("GET", f"{_REPO}/issues", issues.list_issues, "issues/issues#list-repository-issues"),
    Operation("POST", f"{_REPO}/issues", issues.create, "issues/issues#create-an-issue"),
    Operation("GET", _ISSUE, issues.get, "issues/issues#get-an-issue"),
    Operation("PATCH", _ISSUE, issues.edit, "issues/issues#update-an-issue"),
    Operation("GET", f"{_ISSUE}/comments", issues.list_comments, "issues/comments#list-issue-comments"),
    Operation("POST", f"{_ISSUE}/comments", issues.create_comment, "issues/comments#create-an-issue-comment"),
    Operation(
        "PATCH", f"{_REPO}/issues/comments/<int:comment>", issues.edit_comment,
        "issues/comments#update-an-issue-comment",
    ),
)  # fmt: skip


class Application:
    """GitHub's REST API, under `/` and under `/api/v3`, and git at the repositories' own addresses."""

    def __init__(self, store_path: Path | None, *, token: str | None, owners: Sequence[str] | None, plan: str) -> None:
        self._store = JsonStore(store_path, {"last_id": 1_000_000, "repositories": {}, "renamed": {}})
        self._git = None if store_path is None else store_path.parent / "git"
        self._token = token
        self._accounts = accounts.Accounts(owners, plan)
        rules = [Rule(entry.path, methods=[entry.method], endpoint=entry) for entry in OPERATIONS]
        self._paths = Map(rules, strict_slashes=False, merge_slashes=False)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self._respond(Request(environ))(environ, start_response)

    def _respond(self, request: Request) -> Response:
        web = f"{request.scheme}://{request.host}"
        api = web + _PREFIX if request.path.startswith((f"{_PREFIX}/", _PREFIX)) else web
        call = Call(request, self._store.data, self._accounts, api, web)
        documentation = ""
        try:
            if self._authenticate(request):
                call = replace(call, may_write=False)
                if request.method not in ("GET", "HEAD") and not request.path.endswith("/git-upload-pack"):
                    raise ApiError(403, "Resource not accessible by personal access token")
            found = git.PATH.fullmatch(request.path)
            if found is not None and self._git is not None:
                with self._store.changing():
                    return git.serve(request, call.repository(found[1], found[2]), self._git, found[3])
            operation, arguments = self._operation(call)
            documentation = operation.documentation
            read_only = operation.method == "GET"
            with self._store.reading() if read_only else self._store.changing():
                return self._response(request, operation.handler(call, **arguments))
        except MovedError as moved:
            return self._response(request, self._redirect(call, moved.repository_id))
        except ApiError as refusal:
            # git sends its credentials only after it is asked for them.
            asking = {"WWW-Authenticate": 'Basic realm="GitHub"'} if refusal.status == 401 else {}
            return self._response(request, Answer(refusal.status, refusal.body(documentation), asking))

    def _authenticate(self, request: Request) -> bool:
        """Check the token, and return whether it only reads."""
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "basic" and request.authorization is not None:
            given = request.authorization.password or ""
        elif kind.lower() not in ("bearer", "token"):
            given = ""
        if not given.strip():
            raise ApiError(401, "Requires authentication")
        given, reading, _ = given.strip().partition(READING)
        if self._token is not None and not hmac.compare_digest(given.encode(), self._token.encode()):
            raise ApiError(401, "Bad credentials")
        version = request.headers.get("X-GitHub-Api-Version")
        if version is not None and version not in _VERSIONS:
            raise ApiError(400, f'"{version}" is not a supported version. Supported: {", ".join(_VERSIONS)}')
        return bool(reading)

    def _operation(self, call: Call) -> tuple[Operation, dict[str, Any]]:
        path = call.path or "/"
        by_id = _BY_ID.fullmatch(path)
        if by_id is not None:
            record = self._store.data["repositories"].get(by_id[1])
            if record is None:
                raise not_found()
            path = f"/repos/{record['owner']}/{record['name']}{by_id[2] or ''}"
        method = "GET" if call.request.method == "HEAD" else call.request.method
        try:
            operation, arguments = self._paths.bind("").match(path, method=method)
        except HTTPException:
            raise unsupported(f"{call.request.method} {path}") from None
        return operation, dict(arguments)

    def _redirect(self, call: Call, repository_id: int) -> Answer:
        rest = "".join(f"/{part}" for part in call.path.split("/")[4:])
        query = call.request.query_string.decode()
        location = f"{call.api}/repositories/{repository_id}{rest}{query and '?'}{query}"
        # Only after 307 does a client repeat the same method and body. 301 is enough for a request that only reads.
        status, message = (
            (301, "Moved Permanently") if call.request.method in ("GET", "HEAD") else (307, "Temporary Redirect")
        )
        documentation = "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects"
        return Answer(
            status, {"message": message, "url": location, "documentation_url": documentation}, {"Location": location}
        )

    def _response(self, request: Request, answer: Answer) -> Response:
        """Return the HTTP response, with the headers that clients read. Its rate limit is never used up."""
        content = b"" if answer.body is None else json.dumps(answer.body).encode()
        response = Response(content, answer.status, {**answer.headers, **_headers(request)})
        # Operations give complete addresses.
        response.autocorrect_location_header = False
        if answer.body is None:
            response.headers.pop("Content-Type", None)
            return response
        response.content_type = "application/json; charset=utf-8"
        if answer.status in (200, 201):
            tag = hashlib.sha256(content).hexdigest()
            response.set_etag(tag, weak=True)
            response.headers["Cache-Control"] = "private, max-age=60, s-maxage=60"
            if request.method in ("GET", "HEAD") and request.if_none_match.contains_weak(tag):
                response.status_code = 304
                response.set_data(b"")
                for name in ("Content-Type", "Content-Length"):
                    response.headers.pop(name, None)
        return response


def _headers(request: Request) -> dict[str, str]:
    version = request.headers.get("X-GitHub-Api-Version")
    return {
        "X-GitHub-Request-Id": secrets.token_hex(16).upper(),
        "X-GitHub-Media-Type": "github.v3; format=json",
        "X-GitHub-Api-Version-Selected": version if version in _VERSIONS else _VERSIONS[0],
        "X-RateLimit-Limit": str(_REQUESTS_AN_HOUR),
        "X-RateLimit-Remaining": str(_REQUESTS_AN_HOUR),
        "X-RateLimit-Used": "0",
        "X-RateLimit-Resource": "core",
        "X-RateLimit-Reset": str(_reset()),
    }


def _reset() -> int:
    return int(time.time()) + 3600
