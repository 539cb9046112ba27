/* handles.h — what a program that is started next inherits; close_range(2), proc(5). */
#ifndef P2PVPN_HANDLES_H
#define P2PVPN_HANDLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HANDLES_KEPT_MAX 64u

/*
 * Marks every descriptor from 3 on close-on-exec, but for the `count` that `keep` names, which stay
 * as they are. Sorts `keep`. 0 or -errno; -EINVAL for more than HANDLES_KEPT_MAX.
 */
int handles_close_on_exec(int32_t *keep, size_t count);

/* The same by /proc/self/fd alone, for kernels before 5.11. */
int handles_close_listed(const int32_t *keep, size_t count);

#endif
