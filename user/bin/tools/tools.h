/* SPDX-License-Identifier: BSD-2-Clause */
/* tools.h - the tools, and what they share beyond the common helpers. */
#ifndef USER_BIN_TOOLS_TOOLS_H
#define USER_BIN_TOOLS_TOOLS_H

#include <sys/stat.h>

#include "user/bin/common/util.h"

/* "usage: NAME text" and status 2. */
int usage_error(const char *text);
/* A file to read; "-" is standard input. -1 with a message when it cannot be opened. */
int open_input(const char *path);
/* Copies until the end of `from`; 0, or -1 with errno. */
int copy_fd(int from, int to);
/* "drwxr-xr-x" */
void mode_string(mode_t mode, char out[11]);
/* The number in "KEY:  123 ..." of /proc text, or 0. */
unsigned long proc_value(const char *text, const char *key);
/* The names in a directory, sorted, without . and ..; false with errno. */
bool read_names(const char *path, struct list *out);
/*
 * Calls fn for path and, first, all below it (or last, with parents_first). A symbolic link
 * is not followed. The result is that of the last fn that was not 0.
 */
int walk_tree(const char *path, bool parents_first,
	      int (*fn)(const char *path, const struct stat *st, void *arg), void *arg);
/* A user's or group's name from /etc/passwd or /etc/group, or its number; allocated. */
char *id_name(const char *file, unsigned long id);
bool id_number(const char *file, const char *name, unsigned int *id);

int basename_main(int argc, char **argv);
int cat_main(int argc, char **argv);
int chmod_main(int argc, char **argv);
int chown_main(int argc, char **argv);
int cmp_main(int argc, char **argv);
int cp_main(int argc, char **argv);
int cut_main(int argc, char **argv);
int date_main(int argc, char **argv);
int dd_main(int argc, char **argv);
int df_main(int argc, char **argv);
int dirname_main(int argc, char **argv);
int dmesg_main(int argc, char **argv);
int du_main(int argc, char **argv);
int env_main(int argc, char **argv);
int false_main(int argc, char **argv);
int find_main(int argc, char **argv);
int free_main(int argc, char **argv);
int grep_main(int argc, char **argv);
int halt_main(int argc, char **argv);
int head_main(int argc, char **argv);
int hexdump_main(int argc, char **argv);
int hostname_main(int argc, char **argv);
int id_main(int argc, char **argv);
int kill_main(int argc, char **argv);
int ln_main(int argc, char **argv);
int ls_main(int argc, char **argv);
int md5sum_main(int argc, char **argv);
int memmap_main(int argc, char **argv);
int mkdir_main(int argc, char **argv);
int mkswap_main(int argc, char **argv);
int mmapcopy_main(int argc, char **argv);
int mount_main(int argc, char **argv);
int mv_main(int argc, char **argv);
int poweroff_main(int argc, char **argv);
int ps_main(int argc, char **argv);
int pwd_main(int argc, char **argv);
int readlink_main(int argc, char **argv);
int reboot_main(int argc, char **argv);
int rm_main(int argc, char **argv);
int rmdir_main(int argc, char **argv);
int seq_main(int argc, char **argv);
int sha256sum_main(int argc, char **argv);
int sleep_main(int argc, char **argv);
int sort_main(int argc, char **argv);
int stat_main(int argc, char **argv);
int swapoff_main(int argc, char **argv);
int swapon_main(int argc, char **argv);
int sync_main(int argc, char **argv);
int tail_main(int argc, char **argv);
int tee_main(int argc, char **argv);
int time_main(int argc, char **argv);
int touch_main(int argc, char **argv);
int tr_main(int argc, char **argv);
int true_main(int argc, char **argv);
int truncate_main(int argc, char **argv);
int umount_main(int argc, char **argv);
int uname_main(int argc, char **argv);
int uniq_main(int argc, char **argv);
int uptime_main(int argc, char **argv);
int vmstat_main(int argc, char **argv);
int wc_main(int argc, char **argv);
int xargs_main(int argc, char **argv);
int yes_main(int argc, char **argv);

#endif
