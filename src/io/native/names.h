/*
 * names.h — a host's name to its addresses, without anybody waiting.
 *
 * getaddrinfo(3) alone knows what this host asks and in which order (/etc/hosts, DNS with its
 * search list, mDNS, ...), and it blocks for as long as resolv.conf says. Each question gets a
 * thread of its own, which nobody joins: it ends with its answer, or with the process.
 */
#ifndef P2PVPN_NAMES_H
#define P2PVPN_NAMES_H

#include <stdint.h>

#include "udp.h"

/* A name of DNS and its terminator. Source: RFC 1035 2.3.4. */
#define NAMES_NAME_BYTES 254
/* Addresses of one answer; what comes after them is left out. */
#define NAMES_ADDRESSES 32
/* Text of why there is none; longer ones are cut. */
#define NAMES_TEXT_BYTES 128

/*
 * An answer, as one datagram:
 *
 *     0 id u32 · 4 count u32 · 8 count sockaddrs of 28 bytes, in the system's order, port 0
 *                              or, when count is 0, a text that says why
 */
#define NAMES_ANSWER_BYTES (NAMES_HEAD_BYTES + NAMES_ADDRESSES * SOCKADDR_BYTES)

/*
 * Begins to ask for `name`; the answer is sent to `fd`, a connected Unix datagram socket, of which
 * the thread holds a duplicate. An answer that nobody takes for a minute is lost.
 *
 * Thread: any.   Errors: -ENAMETOOLONG, -ENOMEM, and what pthread_create(3) and fcntl(2) say.
 */
int names_ask(const char *name, uint32_t id, int fd);

#endif
