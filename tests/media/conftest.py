"""Clips for the media tests, made once per session and only when asked for."""

import pytest

from tests.media.cases import Clips


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    return Clips(tmp_path_factory.mktemp("clips"))
