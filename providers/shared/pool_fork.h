/* SPDX-License-Identifier: MIT */
#ifndef SES_SHARED_POOL_FORK_H
#define SES_SHARED_POOL_FORK_H

struct pool;

/*
 * While a process forks, the locks of all its pools are held by the thread that forks. The child
 * then closes its copies of the connections, saying nothing, and begins with empty pools; what a
 * thread of the parent had taken at that moment stays the parent's.
 */
void pool_watch_forks(struct pool *pool);
void pool_forget_forks(struct pool *pool);

#endif
