import pytest
from tests.tutorial.reader import Reader


@pytest.fixture
async def reader(tmp_path):
    reader = Reader(tmp_path)
    yield reader
    await reader.close()
