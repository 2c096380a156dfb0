#include "fs/vfs/vfs_internal.h"
#define W __attribute__((weak))
W void flock_owner_closed(struct file *f, void *o) { (void)f; (void)o; }
W int file_record_lock(struct file *f, int c, struct flock_k *l, void *o, s32 p) { (void)f;(void)c;(void)l;(void)o;(void)p; return -ENOSYS; }
W struct file *memfd_create_file(const char *n, u32 f, const struct cred *c) { (void)n;(void)f;(void)c; return ERR_PTR(-ENOSYS); }
W void flock_vnode_free(struct vnode *v) { (void)v; }
W void flock_file_released(struct file *f) { (void)f; }
W int file_flock(struct file *f, int op) { (void)f;(void)op; return -ENOSYS; }
