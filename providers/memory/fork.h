/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMORY_FORK_H
#define SES_MEMORY_FORK_H

struct memory;

/*
 * A fork copies every lock as it stands, and of the threads that hold one only the forking one. So
 * while a process forks, all locks of all open stores are held by the thread that forks, and parent
 * and child let go of them. The child has a store of its own from then on.
 */
void fork_watch(struct memory *memory);
void fork_forget(struct memory *memory); /* does nothing if it is not watched */

#endif
