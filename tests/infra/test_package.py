"""The same binary gives the same zip, and what is packaged is named as Lambda and the templates name it."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

import templates as t

ARCHIVE = t.INFRA / "package/archive.py"


def zipped(binary, archive, umask="022"):
    command = f'umask {umask} && exec "$0" "$@"'
    subprocess.run(["bash", "-c", command, sys.executable, str(ARCHIVE), str(binary), str(archive)], check=True)
    return archive.read_bytes()


class Package(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_the_same_bytes_give_the_same_zip_wherever_and_whenever(self):
        one, other = self.folder / "countersign-witness", self.folder / "elsewhere" / "another-name"
        other.parent.mkdir()
        for file in (one, other):
            file.write_bytes(bytes(range(256)) * 500)
        os.utime(other, (1_000_000_000, 1_000_000_000))
        other.chmod(0o600)
        first, second = zipped(one, self.folder / "one.zip"), zipped(other, other.parent / "two.zip", umask="077")
        self.assertEqual(first, second)
        other.write_bytes(b"other")
        self.assertNotEqual(first, zipped(other, other.parent / "two.zip"))

    def test_a_zip_holds_one_executable_that_lambda_starts(self):
        binary = self.folder / "binary"
        binary.write_bytes(b"\x7fELF")
        zipped(binary, self.folder / "function.zip")
        with zipfile.ZipFile(self.folder / "function.zip") as archive:
            (entry,) = archive.infolist()
            self.assertEqual((entry.filename, archive.read(entry)), ("bootstrap", b"\x7fELF"))
        self.assertEqual(entry.external_attr >> 16, 0o100755)
        for name in ("core", "cluster", "witness"):
            self.assertEqual(t.read(name)["Globals"]["Function"]["Handler"], "bootstrap")

    def test_every_function_of_a_template_can_be_packaged(self):
        packaged = {folder.parent.parent.name for folder in t.ROOT.glob("functions/*/src/main.rs")}
        self.assertLessEqual({name for names in t.FUNCTIONS.values() for name in names}, packaged)

    def test_an_architecture_is_one_that_the_templates_take(self):
        script = (t.INFRA / "package.sh").read_text()
        named = re.findall(r"(?m)^    (\w+)(?: \| \w+)*\) .*target=", script)
        self.assertEqual(named, t.read("core")["Parameters"]["Architecture"]["AllowedValues"])
        built = subprocess.run(
            ["bash", str(t.INFRA / "package.sh")],
            env={**os.environ, "ARCH": "mips", "DIST": str(self.folder)},
            capture_output=True,
            text=True,
        )
        self.assertEqual((built.returncode, built.stderr), (1, "infra/package.sh: ARCH=mips: write arm64 or x86_64\n"))


if __name__ == "__main__":
    unittest.main()
