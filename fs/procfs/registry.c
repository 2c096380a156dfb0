// SPDX-License-Identifier: BSD-2-Clause
/*
 * The files of procfs that do not belong to a process: a tree that grows by procfs_file and never shrinks.
 */
#include "fs/procfs/procfs.h"

static struct mutex ents_lock; /* LOCK_PROCFS; links of all ents */
static u64 next_ino = 2;       /* (ents_lock) 1 is the root */

struct ent procfs_root = {
	.link = LIST_INIT(procfs_root.link),
	.children = LIST_INIT(procfs_root.children),
	.ino = 1,
	.mode = S_IFDIR | 0555,
};

/* A file that is being made may already be seen: links are only ever added at the tail, and readers stop at what they find. */

struct ent *ent_find(struct ent *dir, const char *name, size_t len)
{
	struct ent *e;

	list_for_each(e, &dir->children, link)
		if (e->name[0] == name[0] && strlen(e->name) == len && !memcmp(e->name, name, len))
			return e;
	return NULL;
}

struct ent *ent_nth(struct ent *dir, u64 k)
{
	struct ent *e;

	list_for_each(e, &dir->children, link)
		if (k-- == 0)
			return e;
	return NULL;
}

static struct ent *ent_new(struct ent *dir, const char *name, size_t len, u32 mode)
{
	struct ent *e = kzalloc(sizeof(*e) + len + 1);

	if (!e)
		return NULL;
	list_init(&e->children);
	e->parent = dir;
	e->mode = mode;
	e->ino = next_ino++;
	memcpy(e->name, name, len);
	return e;
}

static void ent_publish(struct ent *dir, struct ent *e)
{
	e->link.next = &dir->children;
	e->link.prev = dir->children.prev;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	dir->children.prev->next = &e->link;
	dir->children.prev = &e->link;
}

int procfs_file(const char *path, u32 mode, int (*show)(struct seq *s, void *arg),
		ssize_t (*store)(const char *text, size_t n, void *arg), void *arg)
{
	static bool ready;
	struct ent *dir = &procfs_root, *e;
	const char *slash;
	int err = 0;

	if (!ready) {
		mutex_init(&ents_lock, LOCK_PROCFS, "procfs");
		ready = true; /* the first call is made by one thread, at start-up */
	}
	mutex_lock(&ents_lock);
	for (; dir && (slash = strchr(path, '/')); path = slash + 1) {
		e = ent_find(dir, path, slash - path);
		if (!e) {
			e = ent_new(dir, path, slash - path, S_IFDIR | 0555);
			if (e)
				ent_publish(dir, e);
		}
		dir = e;
	}
	if (!dir || ent_find(dir, path, strlen(path))) {
		err = dir ? -EEXIST : -ENOMEM;
	} else {
		e = ent_new(dir, path, strlen(path), S_IFREG | (mode & 07777));
		if (e) {
			e->show = show;
			e->store = store;
			e->arg = arg;
			ent_publish(dir, e);
		} else {
			err = -ENOMEM;
		}
	}
	mutex_unlock(&ents_lock);
	return err;
}
