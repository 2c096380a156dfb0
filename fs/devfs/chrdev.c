// SPDX-License-Identifier: BSD-2-Clause
/*
 * The registry of character devices: a red-black tree by device number and a list in order of registration.  Devices register
 * during start-up and stay.
 */
#include "fs/devfs/devfs.h"

#include "kernel/lib/errno.h"
#include "kernel/mem/slab.h"

struct reg {
	struct rb_node node;
	struct char_dev *dev;
};

static struct spinlock lock = SPINLOCK_INIT(LOCK_LEAF_FS, "chrdev");
static struct rb_tree by_number = RB_TREE_INIT(NULL); /* (lock) struct reg */
static struct list devices = LIST_INIT(devices);      /* (lock) */

static struct rb_node **find_link(u64 rdev, struct rb_node **parent)
{
	struct rb_node **link = &by_number.root;

	*parent = NULL;
	while (*link) {
		u64 d = container_of(*link, struct reg, node)->dev->rdev;

		if (d == rdev)
			break;
		*parent = *link;
		link = rdev < d ? &(*link)->left : &(*link)->right;
	}
	return link;
}

int chrdev_register(struct char_dev *d)
{
	struct reg *r = kmalloc(sizeof(*r), 0);
	struct rb_node *parent, **link;
	int err = 0;

	if (!r)
		return -ENOMEM;
	r->dev = d;
	spin_lock(&lock);
	link = find_link(d->rdev, &parent);
	if (*link) {
		err = -EBUSY;
	} else {
		rb_insert(&by_number, &r->node, parent, link);
		list_add_tail(&devices, &d->link);
	}
	spin_unlock(&lock);
	if (err)
		kfree(r);
	return err;
}

struct char_dev *chrdev_find(u64 rdev)
{
	struct rb_node *parent, **link;
	struct char_dev *d;

	spin_lock(&lock);
	link = find_link(rdev, &parent);
	d = *link ? container_of(*link, struct reg, node)->dev : NULL;
	spin_unlock(&lock);
	return d;
}

struct char_dev *chrdev_nth(unsigned k)
{
	struct char_dev *d, *found = NULL;

	spin_lock(&lock);
	list_for_each(d, &devices, link)
		if (k-- == 0) {
			found = d;
			break;
		}
	spin_unlock(&lock);
	return found;
}

int chrdev_open(struct vnode *vn, struct file *f)
{
	struct char_dev *d = chrdev_find(vn->rdev);

	if (!d)
		return -ENXIO;
	f->ops = d->fops;
	f->data = d->data;
	return d->open ? d->open(vn, f) : 0;
}
