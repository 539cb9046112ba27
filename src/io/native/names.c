/* names.c — see names.h. */
#define _POSIX_C_SOURCE 200809L
#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Modules of nsswitch.conf are strangers' code: more than musl's 128 KiB, and touched by few. */
#define STACK_BYTES (512 * 1024)
/* An answer waits this long for room in the socket. */
#define SEND_MS 60000

struct question {
    char name[NAMES_NAME_BYTES];
    uint32_t id;
    int fd;
};

/* Appends the addresses of IPv4 and IPv6; returns how many. */
static uint32_t put_addresses(const struct addrinfo *list, uint8_t *out)
{
    uint32_t count = 0;
    for (; list != NULL && count < NAMES_ADDRESSES; list = list->ai_next) {
        bool known = list->ai_family == AF_INET || list->ai_family == AF_INET6;
        if (!known || list->ai_addrlen > SOCKADDR_BYTES)
            continue;
        uint8_t *at = out + count++ * SOCKADDR_BYTES;
        memset(at, 0, SOCKADDR_BYTES);
        memcpy(at, list->ai_addr, list->ai_addrlen);
    }
    return count;
}

/* Bytes of the answer. */
static size_t ask(const struct question *question, uint8_t out[NAMES_ANSWER_BYTES])
{
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
    struct addrinfo *list = NULL;
    char text[NAMES_TEXT_BYTES] = "it has no address of IPv4 or IPv6";
    uint32_t count = 0;
    int error = getaddrinfo(question->name, NULL, &hints, &list);
    if (error != 0)
        (void)snprintf(text, sizeof text, "%s", gai_strerror(error));
    else
        count = put_addresses(list, out + NAMES_HEAD_BYTES);
    if (list != NULL)
        freeaddrinfo(list);
    memcpy(out, &question->id, sizeof question->id);
    memcpy(out + sizeof question->id, &count, sizeof count);
    if (count > 0)
        return NAMES_HEAD_BYTES + count * SOCKADDR_BYTES;
    size_t bytes = strlen(text);
    memcpy(out + NAMES_HEAD_BYTES, text, bytes);
    return NAMES_HEAD_BYTES + bytes;
}

static void answer(int fd, const uint8_t *bytes, size_t length)
{
    while (send(fd, bytes, length, MSG_NOSIGNAL) < 0) {
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        if (errno != EAGAIN && errno != EINTR)
            return;
        if (poll(&room, 1, SEND_MS) == 0)
            return;
    }
}

static void *run(void *data)
{
    struct question *question = data;
    uint8_t bytes[NAMES_ANSWER_BYTES];
    answer(question->fd, bytes, ask(question, bytes));
    (void)close(question->fd);
    free(question);
    return NULL;
}

/* Takes: question. 0 or -errno. */
static int start(struct question *question)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return -error;
    error = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (error == 0)
        error = pthread_attr_setstacksize(&attributes, STACK_BYTES);
    /* Signals are others' business. */
    (void)sigfillset(&all);
    if (error == 0)
        error = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (error == 0) {
        error = pthread_create(&thread, &attributes, run, question);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attributes);
    return -error;
}

int names_ask(const char *name, uint32_t id, int fd)
{
    size_t bytes = strlen(name) + 1;
    if (bytes > NAMES_NAME_BYTES)
        return -ENAMETOOLONG;
    struct question *question = calloc(1, sizeof *question);
    if (question == NULL)
        return -ENOMEM;
    memcpy(question->name, name, bytes);
    question->id = id;
    question->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int result = question->fd < 0 ? -errno : start(question);
    if (result < 0) {
        if (question->fd >= 0)
            (void)close(question->fd);
        free(question);
    }
    return result;
}
