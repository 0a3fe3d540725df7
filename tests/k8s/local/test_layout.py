"""Where everything of a node is, from its name and folder."""

from pathlib import Path

import pytest

from framework.errors import ConfigError
from k8s.local.node.layout import Layout


def test_a_folder_with_a_path_that_leaves_no_room_for_a_socket_is_refused() -> None:
    """Kubelet then never listens, and says so in a log of its own only."""
    most = Path("/") / ("d" * 73)

    assert Layout.of("one", most, Path("/binaries")).home == most
    with pytest.raises(ConfigError, match="too long"):
        Layout.of("one", Path(f"{most}d"), Path("/binaries"))


@pytest.mark.parametrize("name", ["", "One", "1st", "a" * 21, "a_b"])
def test_a_name_that_can_name_no_device_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="not a name"):
        Layout.of(name, Path("/home"), Path("/binaries"))
