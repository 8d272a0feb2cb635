"""The Debian package asks for each library that the program is linked with; `make test-install` asks dpkg-shlibdeps, too, and in which version."""
import re

from source import ROOT


def without_numbers(name):
    return re.sub(r"\d+(-\d+)?", "", name)


def test_it_depends_on_what_the_build_takes():
    """Packages to build with are called as those to run with, but for -dev and the number of the interface."""
    make = (ROOT / "Makefile").read_text()
    built_with = re.search(r"^BUILD_PACKAGES := (.*)", make, re.M)[1].split()
    depends = re.search(r"^Depends: (.*)", (ROOT / "install/debian/control").read_text(), re.M)[1]
    runs_with = {without_numbers(word) for word in re.findall(r"(?:^|, )([a-z0-9.+-]+)", depends)}
    wanted = {without_numbers("lib" + name.removesuffix("-dev").removeprefix("lib")) for name in built_with if name.endswith("-dev")}
    assert wanted == runs_with
