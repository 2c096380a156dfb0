#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""console.py SOCKET: connects this terminal to a UART behind a socket; Ctrl-] ends it."""
import os
import select
import socket
import sys
import termios
import tty

QUIT = b"\x1d"


def talk(uart):
    while True:
        ready = select.select([0, uart], [], [])[0]
        if uart in ready:
            data = uart.recv(65536)
            if not data:
                return
            os.write(1, data)
        if 0 in ready:
            data = os.read(0, 1024)
            if not data or QUIT in data:
                return
            uart.sendall(data)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with socket.socket(socket.AF_UNIX) as uart:
        uart.connect(sys.argv[1])
        if not os.isatty(0):
            talk(uart)
            return
        saved = termios.tcgetattr(0)
        tty.setraw(0)
        try:
            talk(uart)
        finally:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)


main()
