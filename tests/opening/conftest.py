from tests.face.conftest import collins, finder, parser

__all__ = ["collins", "finder", "parser"]  # fixtures
