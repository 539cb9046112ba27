/* sources: names.c */
/* names_test.c — answers of the system's resolver, each by a thread of its own. */
#define _GNU_SOURCE
#include "names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

#define ASKED 64

static void open_pair(int fds[2])
{
    CHECK_EQUAL(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
}

/* Waits for an answer; returns its bytes. */
static size_t next(int fd, uint8_t out[NAMES_ANSWER_BYTES], uint32_t *id, uint32_t *count)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    CHECK_EQUAL(poll(&wait, 1, 30000), 1);
    ssize_t bytes = recv(fd, out, NAMES_ANSWER_BYTES, 0);
    CHECK(bytes >= NAMES_HEAD_BYTES);
    memcpy(id, out, sizeof *id);
    memcpy(count, out + sizeof *id, sizeof *count);
    return (size_t)bytes;
}

static void test_localhost(void)
{
    int fds[2];
    uint32_t id, count;
    uint8_t bytes[NAMES_ANSWER_BYTES];
    bool found = false;
    open_pair(fds);
    CHECK_EQUAL(names_ask("localhost", 7, fds[1]), 0);
    size_t length = next(fds[0], bytes, &id, &count);
    CHECK_EQUAL(id, 7);
    CHECK(count >= 1);
    CHECK_EQUAL(length, NAMES_HEAD_BYTES + count * SOCKADDR_BYTES);
    for (uint32_t i = 0; i < count; i++) {
        struct sockaddr_in four;
        memcpy(&four, bytes + NAMES_HEAD_BYTES + i * SOCKADDR_BYTES, sizeof four);
        found |= four.sin_family == AF_INET && four.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
    }
    CHECK(found);
    close(fds[0]);
    close(fds[1]);
    PASSED("a name's addresses");
}

static void test_unknown(void)
{
    int fds[2];
    uint32_t id, count;
    char bytes[NAMES_ANSWER_BYTES + 1] = {0};
    open_pair(fds);
    /* No label may be empty: refused without asking anybody. */
    CHECK_EQUAL(names_ask("a..b", 9, fds[1]), 0);
    size_t length = next(fds[0], (uint8_t *)bytes, &id, &count);
    CHECK_EQUAL(id, 9);
    CHECK_EQUAL(count, 0);
    CHECK(length > NAMES_HEAD_BYTES);
    printf("why: %s\n", bytes + NAMES_HEAD_BYTES);
    close(fds[0]);
    close(fds[1]);
    PASSED("a name of nobody");
}

/* More answers than the socket holds wait for each other. */
static void test_many(void)
{
    int fds[2];
    bool seen[ASKED] = {false};
    uint8_t bytes[NAMES_ANSWER_BYTES];
    open_pair(fds);
    for (uint32_t i = 0; i < ASKED; i++)
        CHECK_EQUAL(names_ask("127.0.0.1", i, fds[1]), 0);
    (void)usleep(200000);
    for (int i = 0; i < ASKED; i++) {
        uint32_t id, count;
        (void)next(fds[0], bytes, &id, &count);
        CHECK(id < ASKED && !seen[id]);
        CHECK_EQUAL(count, 1);
        seen[id] = true;
    }
    close(fds[0]);
    close(fds[1]);
    PASSED("many at once");
}

/* Whoever asked may be gone; no signal comes of it. */
static void test_gone(void)
{
    int fds[2];
    open_pair(fds);
    for (uint32_t i = 0; i < ASKED; i++)
        CHECK_EQUAL(names_ask("localhost", i, fds[1]), 0);
    close(fds[0]);
    close(fds[1]);
    (void)usleep(500000);
    PASSED("nobody waits for the answer");
}

static void test_refused(void)
{
    char name[NAMES_NAME_BYTES + 1];
    int fds[2];
    open_pair(fds);
    memset(name, 'a', sizeof name);
    name[NAMES_NAME_BYTES] = '\0';
    CHECK_EQUAL(names_ask(name, 1, fds[1]), -ENAMETOOLONG);
    close(fds[1]);
    CHECK_EQUAL(names_ask("localhost", 1, fds[1]), -EBADF);
    close(fds[0]);
    PASSED("refused");
}

int main(void)
{
    test_localhost();
    test_unknown();
    test_many();
    test_gone();
    test_refused();
    return 0;
}
