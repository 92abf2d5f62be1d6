"""The emulators that the tests of the tables share: AWS for a module, Hetzner for a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.hetzner import Application
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.hcloud.cloud import Cloud as Hetzner
from tests.localcloud.aws_harness import LocalAws, local_aws
from tests.localcloud.plugins.hcloud.harness import application, connected, serving


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


@pytest.fixture(scope="module")
def cloud(aws: LocalAws) -> Cloud:
    return aws.connect()


@pytest.fixture
def app() -> Application:
    return application()


@pytest.fixture
def endpoint(app: Application) -> Iterator[str]:
    with serving(app) as served:
        yield served


@pytest.fixture
def hcloud(endpoint: str) -> Hetzner:
    return connected(endpoint)
