# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's own self-tests, run before init with the parameter ktest=1."""
import pytest


@pytest.mark.parametrize("build,smp,seed", [("release", 4, None), ("debug", 1, None), ("debug", 4, None),
                                            ("debug", 4, 12345), ("debug", 8, 777)])
def test_self_tests(machine, tap, build, smp, seed):
    append = "ktest=1" + (f" ktest.seed={seed}" if seed else "")
    one = machine(build=build, smp=smp, append=append, wait=False)
    one.expect(r"ktest: (\d+) failed", timeout=600)
    failed = int(one.child.match.group(1))
    tap(one.text)
    assert one.wait_end() == 0
    assert failed == 0
