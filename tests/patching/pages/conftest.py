"""Pages of patching as browsers without scripts read them."""

import pytest

from server.core.call import Call
from tests.conftest import Browser
from tests.factories.reader import Reader
from tests.factories.runs import Past


@pytest.fixture
def reader(as_admin: Browser) -> Reader:
    return Reader(as_admin)


@pytest.fixture
def past(call: Call) -> Past:
    return Past(call)
