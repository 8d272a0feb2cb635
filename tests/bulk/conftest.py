"""The jobs of docs/bulk.md need what only this folder's tests install: `make test-bulk`."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "http"))
