from tests.mssante.conftest import postgres_server, postgres_url, space

__all__ = ["postgres_server", "postgres_url", "space"]  # fixtures
