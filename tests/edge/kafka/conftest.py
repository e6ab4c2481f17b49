"""One broker with passwords, certificates and rights for all tests of this folder; it ends with the last of them."""

from collections.abc import Iterator

import pytest

from tests.conftest import free_port
from tests.support.secure_broker import LISTENERS, SecureBroker, secure_broker


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """The broker; a user of it may do nothing until the test grants it."""
    ports = [free_port() for _ in (*LISTENERS, "CONTROLLER")]
    with secure_broker(tmp_path_factory.mktemp("secure"), ports) as running:
        yield running
