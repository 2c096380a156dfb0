// SPDX-License-Identifier: BSD-2-Clause
/* pipe.c - numbered bytes through pipes, in pieces of any size. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "user/tests/stress/stress.h"

#define MAX_PIECE 20000

static uint8_t buf[MAX_PIECE];

static uint8_t nth(unsigned long n)
{
	return (uint8_t)(n * 7 + (n >> 8) * 13 + (n >> 16));
}

static void send_all(struct job *j, int fd, unsigned long bytes)
{
	unsigned long sent = 0;

	while (sent < bytes) {
		size_t len = 1 + pick(j, pick(j, 3) ? 500 : MAX_PIECE);
		ssize_t n;

		if (len > bytes - sent)
			len = bytes - sent;
		for (size_t i = 0; i < len; i++)
			buf[i] = nth(sent + i);
		n = write(fd, buf, len);
		if (n <= 0)
			bad(j, "write of %zu to a pipe gave %zd", len, n);
		sent += n;
	}
}

static unsigned long receive_all(struct job *j, int fd)
{
	unsigned long received = 0;
	ssize_t n;

	while ((n = read(fd, buf, 1 + pick(j, MAX_PIECE))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] != nth(received + i))
				bad(j, "byte %lu of a pipe is %d", received + i, buf[i]);
		}
		received += n;
	}
	if (n < 0)
		bad(j, "read from a pipe");
	return received;
}

void stress_pipe(struct job *j)
{
	while (!time_is_over()) {
		unsigned long bytes = pick(j, 300000);
		int fds[2];
		pid_t pid;

		if (pipe(fds) < 0)
			bad(j, "pipe");
		pid = fork();
		if (pid < 0)
			bad(j, "fork");
		if (pid == 0) {
			close(fds[0]);
			j->random ^= 0x5bd1e995;
			send_all(j, fds[1], bytes);
			_exit(0);
		}
		close(fds[1]);
		if (receive_all(j, fds[0]) != bytes)
			bad(j, "a pipe ended early");
		close(fds[0]);
		expect_exit(j, pid, 0);
		*j->count += bytes >> 10;
	}
}
