# SPDX-License-Identifier: BSD-2-Clause
"""A dynamically linked program: the kernel maps program and interpreter (PT_INTERP), the C library does the rest.

The libraries are those of Debian's cross compiler.  The dynamic loader takes its first memory from the page behind its
own bss: an exec that zeroes only up to the end of the bss makes it crash.
"""
import pathlib
import shutil
import subprocess

from conftest import make_ext2

LIBS = pathlib.Path("/usr/riscv64-linux-gnu/lib")
PROGRAM = r"""
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void *root(void *arg) { printf("root %.4f\n", sqrt(atof(arg))); return NULL; }

int main(int argc, char **argv)
{
	pthread_t thread;

	pthread_create(&thread, NULL, root, argv[argc - 1]);
	pthread_join(thread, NULL);
	return argc;
}
"""


def test_dynamic_program(machine, tmp_path):
    folder = tmp_path / "folder"
    (folder / "lib").mkdir(parents=True)
    for name in ("ld-linux-riscv64-lp64d.so.1", "libc.so.6", "libm.so.6"):
        shutil.copy(LIBS / name, folder / "lib" / name)
    (tmp_path / "p.c").write_text(PROGRAM, encoding="ascii")
    subprocess.run(["riscv64-linux-gnu-gcc", "-O2", "-fno-builtin", "-o", folder / "p", tmp_path / "p.c", "-lm"], check=True)
    image = make_ext2(tmp_path / "dynamic.img", folder, size="64M")
    one = machine(smp=2, qemu_args=(f"-drive if=none,id=hd1,format=raw,file={image} "
                                    "-device virtio-blk-device,drive=hd1"))
    name = "/dev/vda" if "vdb1" in one.good("ls /dev").split() else "/dev/vdb"
    one.good(f"mount -t ext2 {name} /mnt")
    one.good("mkdir -p /lib && cp /mnt/lib/* /lib/")
    out, status = one.run("/mnt/p 2")
    assert "root 1.4142" in out and status == 2, out
    out, status = one.run("/mnt/p 9 | cat")
    assert "root 3.0000" in out, out
    one.power_off()
