from tests.mssante.conftest import space

__all__ = ["space"]  # a fixture
