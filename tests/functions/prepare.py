"""Puts Microsoft's Functions worker into `.venv313/worker`, beside the app's packages and apart from them.

Run by `make test` with `.venv313/bin/python`. The worker's protobufs are published only inside the tests of
another package, azure-functions-runtime-v1; they are unpacked as `functions_protos`, and that package is not
installed, because it would bring a top-level package called `tests`.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
WORKER = Path(sys.prefix) / "worker"
PROTOS_FROM = "azure-functions-runtime-v1==1.2.0"
PROTOS = "tests/protos/"


def pip(*arguments: str | Path) -> None:
    """Run this interpreter's pip, saying nothing but errors."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-qq", *arguments]
    subprocess.run(command, check=True)


def main() -> None:
    """Build the folder anew; the protobufs come last, so that their presence says that all is there."""
    shutil.rmtree(WORKER, ignore_errors=True)
    pip("install", "--no-deps", "--target", WORKER, "--requirement", HERE / "requirements.txt")
    with tempfile.TemporaryDirectory() as folder:
        pip("download", "--no-deps", "--dest", folder, PROTOS_FROM)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            members = [name for name in archive.namelist() if name.startswith(PROTOS)]
            archive.extractall(folder, members)
        shutil.move(Path(folder) / PROTOS, WORKER / "functions_protos")


if __name__ == "__main__":
    main()
