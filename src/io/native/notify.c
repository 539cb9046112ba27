/* notify.c — one datagram to the service manager. */
#define _DEFAULT_SOURCE
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define SEND_WAIT_S 1

static int send_once(int fd, const struct sockaddr_un *to, socklen_t to_bytes, const char *state)
{
    const struct timeval wait = {.tv_sec = SEND_WAIT_S};
    size_t length = strnlen(state, NOTIFY_STATE_BYTES);
    if (length == 0 || length == NOTIFY_STATE_BYTES)
        return -EINVAL;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0)
        return -errno;
    ssize_t sent;
    do {
        sent = sendto(fd, state, length, MSG_NOSIGNAL, (const struct sockaddr *)to, to_bytes);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    return (size_t)sent == length ? 1 : -EIO;
}

int notify_send(const char *path, const char *state)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path == NULL || path[0] == '\0')
        return 0;
    if (path[0] != '/' && path[0] != '@')
        return -EINVAL;
    size_t length = strnlen(path, sizeof to.sun_path);
    if (length == sizeof to.sun_path)
        return -ENAMETOOLONG;
    memcpy(to.sun_path, path, length);
    /* unix(7): an abstract name begins with a zero byte and has no terminator. */
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    socklen_t to_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    int result = send_once(fd, &to, to_bytes, state);
    (void)close(fd);
    return result;
}
