/* sources: notify.c */
/* notify_test.c — one datagram to a service manager that this test plays. */
#define _GNU_SOURCE
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"

static int listen_at(const char *path)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0 && length < sizeof local.sun_path);
    memcpy(local.sun_path, path, length);
    if (path[0] == '@')
        local.sun_path[0] = '\0';
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    CHECK_EQUAL(bind(fd, (struct sockaddr *)&local, bytes), 0);
    return fd;
}

static void test_arrives(const char *path)
{
    char got[64] = {0};
    int fd = listen_at(path);
    CHECK_EQUAL(notify_send(path, "READY=1\nSTATUS=up"), 1);
    CHECK_EQUAL(recv(fd, got, sizeof got - 1, 0), 17);
    CHECK(strcmp(got, "READY=1\nSTATUS=up") == 0);
    CHECK_EQUAL(notify_send(path, ""), -EINVAL);
    CHECK_EQUAL(recv(fd, got, sizeof got, 0), -1);
    close(fd);
}

/* A manager that never reads must not hold the engine up. */
static void test_full(const char *path)
{
    int fd = listen_at(path), result = 1;
    for (int i = 0; i < 10000 && result == 1; i++)
        result = notify_send(path, "WATCHDOG=1");
    CHECK_EQUAL(result, -EAGAIN);
    close(fd);
}

int main(void)
{
    char folder[] = "/tmp/notify-test-XXXXXX", path[64], name[64], overlong[200];
    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    (void)snprintf(name, sizeof name, "@notify-test-%ld", (long)getpid());

    CHECK_EQUAL(notify_send(NULL, "READY=1"), 0);
    CHECK_EQUAL(notify_send("", "READY=1"), 0);
    PASSED("nobody listens");
    CHECK_EQUAL(notify_send(path, "READY=1"), -ENOENT);
    CHECK_EQUAL(notify_send(name, "READY=1"), -ECONNREFUSED);
    CHECK_EQUAL(notify_send("relative", "READY=1"), -EINVAL);
    memset(overlong, '/', sizeof overlong);
    overlong[sizeof overlong - 1] = '\0';
    CHECK_EQUAL(notify_send(overlong, "READY=1"), -ENAMETOOLONG);
    PASSED("paths that cannot be used");
    test_arrives(path);
    CHECK_EQUAL(unlink(path), 0);
    test_arrives(name);
    PASSED("the state arrives by path and by abstract name");
    test_full(path);
    CHECK_EQUAL(unlink(path), 0);
    CHECK_EQUAL(rmdir(folder), 0);
    PASSED("a full queue is an error after a second");
    return 0;
}
