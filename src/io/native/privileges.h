/*
 * privileges.h — keep CAP_NET_ADMIN and give up the rest; capabilities(7), prctl(2).
 *
 * Capabilities belong to threads, and node has several before its first line runs. So the calling
 * thread gives them up and executes the program again: the new process image has its credentials
 * and no other threads (security.md 33). The user id does not change.
 */
#ifndef P2PVPN_PRIVILEGES_H
#define P2PVPN_PRIVILEGES_H

/* 1 when the process can get more than CAP_NET_ADMIN, 0 when it is down to that; or -errno. */
int privileges_excess(void);

/*
 * Raises RLIMIT_MEMLOCK where it may, since the right to lock memory goes too; limits the bounding,
 * inheritable and ambient sets to CAP_NET_ADMIN, sets no_new_privs and executes /proc/self/exe with
 * `argv`. A process that may not limit itself (no CAP_SETPCAP) keeps its capabilities. Returns only
 * on failure: -errno.
 */
int privileges_reexecute(char *const argv[]);

#endif
