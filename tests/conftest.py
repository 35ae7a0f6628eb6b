import sys

import pytest
import torch

from tests.folders import write_faces

# Tests that import OpenVINO themselves do not start its telemetry either; see `import_openvino`.
sys.modules.setdefault("openvino_telemetry", None)


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """What this machine has found out about its engines neither helps the tests nor is changed by them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MASKEDIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A data folder of seven drawn faces; not to be changed."""
    return write_faces(tmp_path_factory.mktemp("data") / "drawn", 7)


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """A data folder of five, whose label maps a parser drew; not to be changed."""
    folder = write_faces(tmp_path_factory.mktemp("data") / "labelled", 5)
    (folder / "labelled.json").write_text("{}")
    return folder
