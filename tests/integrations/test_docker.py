"""What other programs read of a host's containers."""

import pytest

from server.core.call import Call
from tests.conftest import Browser
from tests.docker.fleets import container, network, reported, snapshot, uuid_of, volume
from tests.factories.hosts import enrolled
from tests.integrations.conftest import Maker

HOSTS = "/api/hosts"
DESCRIPTION = "Monitor Docker containers, images, volumes, and networks. Collects real-time container status events."


@pytest.mark.proves("DOCKER-95", "DOCKER-05", "INV-92", "INV-96")
async def test_the_counts_of_a_host(client: Browser, call: Call, make: Maker) -> None:
    api = await make("api", token_name="inventory")
    told = snapshot([container(1, "web")], volumes=[volume("a"), volume("b")], networks=[network("n")])
    await reported(call, client, "web-01", told)
    await enrolled(call, client, "web-02")
    host = await uuid_of(call, "web-01")
    assert await api.read(f"{HOSTS}/{host}/integrations") == {
        "host_id": host,
        "integrations": {
            "docker": {
                "enabled": True,
                "description": DESCRIPTION,
                "containers_count": 1,
                "volumes_count": 2,
                "networks_count": 1,
            }
        },
    }
    host = await uuid_of(call, "web-02")
    off = (await api.read(f"{HOSTS}/{host}/integrations"))["integrations"]["docker"]
    assert off == {"enabled": False, "description": DESCRIPTION}
