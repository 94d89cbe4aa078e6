"""The virtual environment with other people's programs from PyPI, made when it is not there."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Each with the program by which one sees that it is there.
PACKAGES = {"openstack": ["python-openstackclient==10.*", "openstacksdk"], "schemathesis": ["schemathesis==4.*"]}


def enter(script):
    """Runs `script` again with the Python of the environment."""
    venv = pathlib.Path(os.environ.get("WEFT_CLIENTS_VENV", ROOT / "target" / "clients-venv"))
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    missing = [name for program, names in PACKAGES.items() if not (venv / "bin" / program).exists() for name in names]
    if missing:
        print(f"installing {' '.join(missing)} into {venv}", flush=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *missing], check=True)
    os.execv(python, [str(python), script, "--inside"])
