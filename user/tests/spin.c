// SPDX-License-Identifier: BSD-2-Clause
/* spin - uses a hart for so many seconds (1), without a system call but the clock's. */
#include <stdlib.h>
#include <time.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	double end = now() + (argc > 1 ? strtod(argv[1], NULL) : 1);

	while (now() < end) {
		for (volatile int i = 0; i < 100000; i++)
			;
	}
	return 0;
}
