"""Tests that loading refuses a wrong plan and lists all of its mistakes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from plan import Plan, PlanError, load
from plan.loading import PLAN_FILE
from tests.plan.documents import REMOVED, Location, changed, company, locations, saved, written

DOCUMENT = company()
PLACES = list(locations(DOCUMENT))


def at(place: Location) -> object:
    """The value in the company's plan at a place."""
    value = DOCUMENT
    for step in place:
        value = value[step]
    return value


def refused(document: object, folder: Path) -> str:
    """The message that refuses a document."""
    with pytest.raises(PlanError) as error:
        load(saved(document, folder))
    return str(error.value)


def refused_text(text: str, folder: Path) -> str:
    """The message that refuses a file with this text."""
    file = folder / "plan.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PlanError) as error:
        load(file)
    return str(error.value)


def test_the_plan_has_the_files_own_names_and_values() -> None:
    assert load().model_dump() == _with_tuples(DOCUMENT)


def _with_tuples(value: object) -> object:
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(_with_tuples(item) for item in value) if isinstance(value, list) else value


def test_what_has_been_loaded_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load().retention.database_backup_days = 1


@pytest.mark.parametrize("place", [place for place in PLACES if isinstance(place[-1], str)], ids=written)
def test_a_key_that_is_missing_is_refused(place: Location, tmp_path: Path) -> None:
    assert f"{written(place)} is missing; allowed is " in refused(changed((place, REMOVED)), tmp_path)


@pytest.mark.parametrize("place", [place for place in PLACES if isinstance(at(place), dict)] + [()], ids=written)
def test_a_key_that_is_not_the_plans_is_refused(place: Location, tmp_path: Path) -> None:
    message = refused(changed(((*place, "intervals"), 1)), tmp_path)
    assert f"{written((*place, 'intervals'))} is not a key of the plan; allowed is one of the keys " in message


@pytest.mark.parametrize("place", [place for place in PLACES if not isinstance(at(place), dict | list)], ids=written)
def test_a_value_of_another_type_is_refused(place: Location, tmp_path: Path) -> None:
    message = refused(changed((place, ["two", "values"])), tmp_path)
    assert f"{written(place)} is ('two', 'values'); allowed is " in message


REFUSED: list[tuple[Location, object, str, str]] = [
    # The place, the value, the message's words for the value, and the allowed values in it.
    (
        ("severities", "high", "rto_hours"),
        "24",
        "is '24'",
        "a whole number of hours, 1 or more. Write it without quotes",
    ),
    (("severities", "high", "rto_hours"), 24.0, "is 24.0", "a whole number of hours, 1 or more"),
    (("severities", "low", "rto_hours"), 0, "is 0", "a whole number of hours, 1 or more"),
    (("severities", "low", "rto_hours"), True, "is True", "a whole number of hours, 1 or more"),
    (("severities", "low", "rpo_minutes"), -1, "is -1", "a whole number of minutes, 1 or more"),
    (("policy", "version"), 1.0, "is 1.0", "a text that is not empty. Put it in quotes"),
    (("policy", "title"), " ", "is ' '", "a text that is not empty"),
    (("policy", "effective"), "soon", "is 'soon'", "an existing date, as year-month-day and without quotes"),
    (("policy", "scope"), [], "is empty", "a list of one or more, none of them twice, each of them a text"),
    (("policy", "scope"), "API", "is 'API'", "a list of one or more"),
    (("policy", "scope"), ["API", "API"], "has 'API' twice", "none of them twice"),
    (("policy", "owner"), "Liam P.", "is 'Liam P.'", "a short name of lowercase letters"),
    (("retention", "database_backup_days"), 0, "is 0", "a whole number of days from 1 to 35"),
    (("retention", "database_backup_days"), 36, "is 36", "a whole number of days from 1 to 35"),
    (("retention", "replicated_backup_days"), 36, "is 36", "a whole number of days from 1 to 35"),
    (("retention", "key_deletion_window_days"), 6, "is 6", "a whole number of days from 7 to 30"),
    (("retention", "key_deletion_window_days"), 31, "is 31", "a whole number of days from 7 to 30"),
    (("retention", "object_version_days"), 0, "is 0", "a whole number of days, 1 or more"),
    (("retention", "object_lock_days"), 0, "is 0", "a whole number of days from 1 to 36500"),
    (("retention", "vault_copy_days"), 0, "is 0", "a whole number of days from 1 to 36500"),
    (("retention", "vault_copy_days"), 36501, "is 36501", "a whole number of days from 1 to 36500"),
    (("retention", "vault_lock_cooling_off_days"), 2, "is 2", "a whole number of days from 3 to 36500"),
    (("retention", "host_log_days"), 91, "is 91", "one of these numbers of days: 1, 3, 5"),
    (("retention", "host_log_days"), "90", "is '90'", "one of these numbers of days: 1, 3, 5"),
    (("redundancy", "minimum_standby_hosts"), 0, "is 0", "a whole number, 1 or more"),
    (("redundancy", "database_multi_az"), "yes", "is 'yes'", "true or false. Write it without quotes"),
    (("redundancy", "host_failover_seconds"), 17, "is 17", "a whole number of seconds from 8 to 16"),
    (("redundancy", "dns_ttl_seconds"), 59, "is 59", "a whole number of seconds from 60 to 2147483647"),
    (("redundancy", "host_backups"), 1, "is 1", "true or false"),
    (("roles", 0, "person"), "liam p", "is 'liam p'", "a first name of 2 to 31 letters, the first one in uppercase"),
    (("roles", 0, "ssh_key"), "ssh-rsa AAAA", "is 'ssh-rsa AAAA'", "the public half of an Ed25519 SSH key"),
    (("roles", 0, "email"), "liam", "is 'liam'", "an email address"),
    (("roles", 0, "github"), "liam--p", "is 'liam--p'", "the name of an account at GitHub"),
    (("access", "key_days"), 0, "is 0", "a whole number of days, 1 or more"),
    (("access", "aws_access_keys"), "none", "is 'none'", "true or false"),
    (("access", "emergency_role"), "break glass", "is 'break glass'", "the name of a role in AWS"),
    (("access", "emergency_session_hours"), 13, "is 13", "a whole number of hours from 1 to 12"),
    (("residency", "jurisdiction"), "Europe", "is 'Europe'", "EU"),
    (("residency", "aws", "home_region"), "us-east-1", "is 'us-east-1'", "one of eu-central-1, eu-north-1"),
    (
        ("residency", "aws", "home_region"),
        "eu-west-2",
        "is 'eu-west-2'",
        "London, in the United Kingdom, outside the EU",
    ),
    (("residency", "aws", "allowed_regions", 1), "eu-central-2", "is 'eu-central-2'", "Zurich, in Switzerland"),
    (("residency", "hetzner", "allowed_locations", 2), "ash", "is 'ash'", "one of fsn1, hel1, nbg1"),
    (("residency", "hetzner", "network_zone"), "us-east", "is 'us-east'", "eu-central"),
    (("communication", "status_page"), "http://status", "is 'http://status'", "an address that begins with https://"),
    (("testing", "confirms"), ["rto", "mtd"], "is 'mtd'", "one of rto, rpo"),
    (("controls", 0, "id"), "A.9.1", "is 'A.9.1'", "a control of ISO/IEC 27001:2022's Annex A"),
    (
        ("roles",),
        None,
        "is empty",
        "a list of one or more, none of them twice, each of them a mapping with the keys id",
    ),
    (("access",), [], "is empty", "a mapping with the keys administrators_minimum"),
    # Each of these is valid alone, and conflicts with another field.
    (("severities", "medium", "rto_hours"), 4, "is 4", "more than 4, which is severities.low.rto_hours"),
    (("severities", "high", "rpo_minutes"), 4, "is 4", "5 or more, because severities.medium.rpo_minutes is 5"),
    (("residency", "aws", "home_region"), "eu-north-1", "is 'eu-north-1'", "one of eu-central-1, eu-west-1, which"),
    (("residency", "aws", "recovery_region"), "eu-west-3", "is 'eu-west-3'", "one of eu-central-1, eu-west-1, which"),
    (("residency", "aws", "recovery_region"), "eu-central-1", "is 'eu-central-1'", "not in residency.aws.home_region"),
    (
        ("residency", "hetzner", "home_locations"),
        ["hel1", "nbg1"],
        "has 'hel1'",
        "not in residency.hetzner.home_locations",
    ),
    (("residency", "hetzner", "allowed_locations"), ["fsn1", "nbg1"], "has 'hel1'", "one of fsn1, nbg1, which"),
    (
        ("residency", "inference", "minimum_providers"),
        4,
        "is 4",
        "3 or less, because residency.inference.providers has 3",
    ),
    (("redundancy", "minimum_locations"), 3, "is 3", "2 or less, because residency.hetzner.home_locations has 2"),
    (("retention", "object_lock_days"), 36, "is 36", "35 or less, which is retention.object_version_days"),
    (("access", "administrators_minimum"), 3, "is 3", "2 or less, because roles has 2"),
    (("policy", "owner"), "ceo", "is 'ceo'", "the id of a role: ciso, co_founder"),
    (("review", "owner"), "ceo", "is 'ceo'", "the id of a role: ciso, co_founder"),
    (("activation", "by"), ["ciso", "ceo"], "has 'ceo'", "the id of a role: ciso, co_founder"),
    (("activation", "offline_copy", "holders"), ["ceo"], "has 'ceo'", "the id of a role: ciso, co_founder"),
    (("roles", 1, "authority"), 1, "is 1", "more than 1, which is roles[0].authority"),
    (("roles", 1, "id"), "ciso", "is 'ciso', like roles[0].id", "a unique id"),
    (("roles", 1, "person"), "Liam", "is 'Liam', like roles[0].person", "a different person for each person"),
    (("roles", 1, "email"), DOCUMENT["roles"][0]["email"], "like roles[0].email", "a different email for each person"),
    (
        ("roles", 1, "github"),
        DOCUMENT["roles"][0]["github"],
        "like roles[0].github",
        "a different github for each person",
    ),
    (
        ("roles", 1, "ssh_key"),
        DOCUMENT["roles"][0]["ssh_key"],
        "like roles[0].ssh_key",
        "a different ssh_key for each person",
    ),
    (("controls", 1, "id"), "A.5.29", "is 'A.5.29', like controls[0].id", "a unique id"),
    (("testing", "kinds", 1, "id"), "tabletop", "is 'tabletop', like testing.kinds[0].id", "a unique id"),
]


@pytest.mark.parametrize(("place", "value", "found", "allowed"), REFUSED)
def test_a_wrong_value_is_refused(place: Location, value: object, found: str, allowed: str, tmp_path: Path) -> None:
    message = refused(changed((place, value)), tmp_path)
    lines = [line for line in message.splitlines() if found in line]
    assert any(allowed in line for line in lines), message


def test_plan_with_one_role_is_refused(tmp_path: Path) -> None:
    message = refused(changed((("roles", 1), REMOVED)), tmp_path)
    assert "roles has one role; allowed is two roles or more" in message


def test_every_mistake_is_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        PLAN_FILE.read_text(encoding="utf-8")
        .replace("rto_hours: 4", "rto_hours: soon")
        .replace("minimum_providers: 2", "minimum_providers: 4")
        .replace("database_backup_days: 35", "database_backup_day: 35", 1)
        .replace("  mfa_required: true", "  mfa_required: true\n  mfa_required: true")
    )
    lines = refused_text(text, tmp_path).splitlines()
    assert lines[0].endswith("plan.yaml: 5 mistakes")
    assert [line.split(" ")[1] for line in lines[1:]] == [
        "severities.low.rto_hours",
        "residency.inference.minimum_providers",
        "retention.database_backup_days",
        "retention.database_backup_day",
        "access.mfa_required",
    ]
    assert "Did you mean database_backup_days?" in lines[4]


def test_a_message_names_the_line(tmp_path: Path) -> None:
    text = PLAN_FILE.read_text(encoding="utf-8").replace("rto_hours: 24", "rto_hours: 1")
    (number,) = [
        number for number, line in enumerate(text.splitlines(), 1) if "rto_hours: 1" in line and "12" not in line
    ]
    assert f"plan.yaml:{number}: severities.high.rto_hours is 1; " in refused_text(text, tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the plan is empty; allowed is a mapping with the keys policy"),
        ("just words", "the plan is 'just words'; allowed is a mapping"),
        ("- a\n- list\n", "the plan is ('a', 'list'); allowed is a mapping"),
        ("policy: [", "the plan is not YAML"),
        ("policy: 1\n---\npolicy: 2\n", "plan.yaml:2: the plan is not YAML"),
        ("policy: \x00", "the plan is not YAML"),
        (
            "policy: !!python/name:os.system ''\n",
            "plan.yaml:1: the plan is not YAML (could not determine a constructor",
        ),
        ("review: {}\nreview: {}\n", "plan.yaml:2: review is written twice, first on line 1; allowed is each key once"),
        ("1: a\n'1': b\n", "plan.yaml:2: 1 is written twice, first on line 1"),
        ("policy: &all [*all]\n", "plan.yaml:1: policy[0] is an alias"),
        ("policy: &one {a: 1}\nreview: *one\n", "review is an alias (`*name`); allowed is a value written out"),
    ],
)
def test_what_is_not_a_plan_at_all_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    assert expected in refused_text(text, tmp_path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        load(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes("title: Kontinuität".encode("latin-1"))
    with pytest.raises(PlanError, match="cannot be read"):
        load(tmp_path / "latin.yaml")


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates(date(1, 1, 1))
    | st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]))
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcdefgh", min_size=1), inner, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.sampled_from(PLACES), value=values)
def test_any_value_anywhere_is_loaded_or_refused_by_name(place: Location, value: object, tmp_path: Path) -> None:
    file = saved(changed((place, value)), tmp_path)
    try:
        plan = load(file)
    except PlanError as error:
        assert error.problems
        assert all(problem.path and problem.allowed and problem.remedy for problem in error.problems)
    else:
        assert isinstance(plan, Plan)
        # An accepted value has the type of the value that it replaced.
        assert plan.model_dump() == _with_tuples(yaml.safe_load(file.read_text(encoding="utf-8")))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary() | st.text().map(str.encode))
def test_no_file_breaks_the_loader(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "any.yaml"
    file.write_bytes(content)
    with pytest.raises(PlanError):
        load(file)
