#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""debian.py [-s SUITE] [--source] PACKAGE: prints the folder of an unpacked riscv64 Debian package.

It is fetched once, into ${XDG_CACHE_HOME:-~/.cache}/gnomon, by an apt with a state of
its own: the host's dpkg and apt never hear of it.  A package without files of its own
(linux-image-riscv64) stands for the linux-image it depends on.  --source: the folder has the
files of the source package instead, as the archive has them.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "gnomon"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Apt:
    """An apt for riscv64 in a folder."""

    def __init__(self, folder, suite):
        self.folder = folder
        for sub in ("state", "cache"):
            (folder / sub).mkdir(parents=True, exist_ok=True)
        line = f"[signed-by={KEYS}] {self.archive()} {suite} main\n"
        (folder / "sources.list").write_text(f"deb {line}deb-src {line}")
        self.run("apt-get", "update")

    @staticmethod
    def archive():
        """The Debian archive that the host uses."""
        out = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian",
                              "Label: Debian", "Created-By: Packages"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout.split()
        return sorted(set(out))[0] if out else "http://deb.debian.org/debian"

    def run(self, tool, *args):
        options = ("APT::Architecture=riscv64", "APT::Architectures=riscv64",
                   "APT::Sandbox::User=root", "Dir::Etc::SourceParts=/dev/null",
                   f"Dir::Etc::SourceList={self.folder}/sources.list",
                   f"Dir::State={self.folder}/state", f"Dir::Cache={self.folder}/cache",
                   "Dir::State::status=/dev/null")
        return subprocess.run([tool, "-qq", *(f"-o{option}" for option in options), *args], check=True,
                              cwd=self.folder, stdout=subprocess.PIPE, text=True).stdout

    def unpack(self, name):
        self.run("apt-get", "download", name)
        deb = next(self.folder.glob(f"{name}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(deb), str(self.folder / "new")], check=True)
        return self.folder / "new"

    def source(self, name):
        """The files of a source package; apt has checked their sums."""
        new = self.folder / "new"
        new.mkdir()
        self.run("apt-get", "source", "--download-only", name)
        for path in self.folder.glob(f"{name}_*"):
            path.rename(new / path.name)
        return new


def package(name, suite="trixie", source=False):
    target = CACHE / f"{suite}-{name}{'-source' if source else ''}"
    if target.exists():
        return target
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="apt.", dir=CACHE))
    try:
        apt, real = Apt(folder, suite), name
        if name == "linux-image-riscv64":
            depends = apt.run("apt-cache", "depends", name)
            real = re.search(r"Depends: (linux-image-\d\S*)", depends).group(1)
        new = apt.source(name) if source else apt.unpack(real)
        try:
            new.rename(target)
        except OSError:  # another process was faster
            if not target.exists():
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-s", "--suite", default="trixie")
    parser.add_argument("--source", action="store_true")
    parser.add_argument("package")
    arguments = parser.parse_args()
    print(package(arguments.package, arguments.suite, arguments.source))
