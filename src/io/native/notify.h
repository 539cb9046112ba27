/*
 * notify.h — tells the service manager how we are (sd_notify).
 *
 * Source: sd_notify(3): one datagram of "NAME=value" lines to the socket in $NOTIFY_SOCKET.
 */
#ifndef P2PVPN_NOTIFY_H
#define P2PVPN_NOTIFY_H

/* Longest state text, with its terminator; the manager takes at most a page. */
#define NOTIFY_STATE_BYTES 4096

/*
 * Sends `state`, e.g. "READY=1", to `path`: absolute, or abstract when it begins with '@'.
 * NULL or "" means that nobody listens. Waits at most a second.
 *
 * Thread: any.   Errors: -EINVAL (neither kind of path), -ENAMETOOLONG, and what connect(2) and
 * send(2) say.   Returns 1, or 0 when nobody listens.
 */
int notify_send(const char *path, const char *state);

#endif
