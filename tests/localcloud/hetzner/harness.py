"""Harness for the Hetzner emulator: its API without a network, and a clock that the test moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from werkzeug.test import Client, TestResponse

from localcloud.hetzner import Application
from localcloud.hetzner.project import ChooseAddress, Settings
from localcloud.network.addresses import unused_address
from localcloud.network.certificate_authority import CertificateAuthority

TOKEN = "t" * 64
LOCATION = "fsn1"


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Api:
    """The emulator with a token, called without a network."""

    def __init__(
        self,
        path: Path | None = None,
        action_seconds: float = 0.0,
        choose_address: ChooseAddress = unused_address,
        authority: CertificateAuthority | None = None,
        **settings: Any,
    ) -> None:
        self.clock = Clock()
        self.app = Application(
            path,
            token=TOKEN,
            settings=Settings(
                action_seconds=action_seconds, clock=self.clock, choose_address=choose_address, **settings
            ),
            authority=authority,
        )
        self._client = Client(self.app)

    def ask(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._client.open(f"/v1{path}", method=method, json=body, headers=headers)

    def get(self, path: str) -> Any:
        response = self.ask("GET", path)
        assert response.status_code == 200, response.text
        return response.json

    def post(self, path: str, **body: Any) -> Any:
        response = self.ask("POST", path, body)
        assert response.status_code == 201, response.text
        return response.json

    def act(self, path: str, command: str, **body: Any) -> Any:
        return self.post(f"{path}/actions/{command}", **body)

    def records(self, collection: str) -> list[Any]:
        """The emulator's records, which have more fields than the API shows."""
        return list(self.app._store.data[collection].values())

    def refusal(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        response = self.ask(method, path, body)
        assert response.status_code >= 400, response.text
        error = response.json["error"]  # type: ignore[index]
        assert error["message"]
        return response.status_code, error["code"]

    def server(self, name: str = "web-1", **more: Any) -> Any:
        body = {"name": name, "server_type": "cx23", "image": "debian-12", "location": LOCATION, **more}
        return self.post("/servers", **body)["server"]

    def network(self, name: str = "net", ip_range: str = "10.0.0.0/16", *subnets: str) -> int:
        made = self.post("/networks", name=name, ip_range=ip_range)["network"]["id"]
        for subnet in subnets:
            self.act(f"/networks/{made}", "add_subnet", type="cloud", network_zone="eu-central", ip_range=subnet)
        return int(made)

    def balancer(self, **more: Any) -> Any:
        body = {"name": "lb", "load_balancer_type": "lb11", "location": LOCATION, **more}
        return self.post("/load_balancers", **body)["load_balancer"]


def zone(api: Api, name: str = "example.com", **more: Any) -> Any:
    return api.post("/zones", name=name, mode="primary", **more)["zone"]
