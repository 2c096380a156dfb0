/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MMAPTEST_RUN_H
#define MMAPTEST_RUN_H

/* Between the process that runs the tests and those that are tests. */
#include "user/tests/mmaptest/harness.h"

#define EXIT_FAILED  1
#define EXIT_SKIPPED 77
#define EXIT_BROKEN  99
/* mmaptest EXEC_WORD: only exits with EXEC_STATUS, for the tests of execve. */
#define EXEC_WORD   "--be-executed"
#define EXEC_STATUS 42

extern int report_fd; /* where a test says why it failed or was skipped */

#endif
