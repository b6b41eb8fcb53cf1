"""Writes a zip with one executable, `bootstrap`: the same bytes give the same zip. archive.py BINARY ZIP"""

import sys
import zipfile

# The first time that a zip can tell.
EPOCH = (1980, 1, 1, 0, 0, 0)
UNIX, EXECUTABLE = 3, 0o100755


def main(binary, archive):
    entry = zipfile.ZipInfo("bootstrap", EPOCH)
    entry.create_system, entry.external_attr = UNIX, EXECUTABLE << 16
    with open(binary, "rb") as read, zipfile.ZipFile(archive, "w") as written:
        written.writestr(entry, read.read(), zipfile.ZIP_DEFLATED, 9)


if __name__ == "__main__":
    main(*sys.argv[1:])
