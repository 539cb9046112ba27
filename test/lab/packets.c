/*
 * packets — small UDP packets at an exact rate, and who counts them.
 *
 *     packets send ADDRESS PORT BYTES RATE MILLISECONDS     prints {"sent":N,"refused":N,"us":N}
 *     packets receive ADDRESS PORT MILLISECONDS             prints "ready", then
 *                                                           {"received":N,"dropped":N,
 *                                                            "longestUs":N}
 *
 * The sender follows the clock in steps of a fifth of a millisecond and sleeps between them. What
 * it could not send for 5 ms is not made up for: then it is slower than asked, and "us" tells so.
 * A packet that the kernel refused counts as sent. The receiver ends when nothing came for 400 ms
 * after the first packet, or with its time; "dropped" is what its own socket had no room for, and
 * "longestUs" the longest time between two packets.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "program.h"

#define BATCH 64
#define BYTES_MAX 1400
#define STEP_NS 200000
/* Behind by more than this, the sender begins anew. */
#define BEHIND_NS 5000000
#define SILENCE_MS 400
#define RATE_MAX 10000000
#define MILLISECONDS_MAX 60000
#define BUFFER_BYTES (16 * 1024 * 1024)
/* Index of drops in what SO_MEMINFO gives. Source: linux/sock_diag.h. */
#define MEMINFO_DROPS 8
#define MEMINFO_VARS 9

static int open_socket(const char *address, long port, struct sockaddr_in *to)
{
    *to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    if (port == 0 || inet_pton(AF_INET, address, &to->sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* Sends up to `want` packets now; how many the kernel took or refused, 0 when it has no room. */
static long send_some(int fd, struct mmsghdr *messages, int64_t want, int64_t *refused)
{
    unsigned count = want > BATCH ? BATCH : (unsigned)want;
    int sent = sendmmsg(fd, messages, count, 0);
    if (sent > 0)
        return sent;
    if (sent < 0 && errno != EINTR && errno != EAGAIN)
        (*refused)++;
    return sent < 0 && errno == EINTR ? 0 : 1;
}

static int send_all(int fd, long bytes, long rate, long milliseconds)
{
    char payload[BYTES_MAX];
    struct iovec part = { .iov_base = payload, .iov_len = (size_t)bytes };
    struct mmsghdr messages[BATCH];
    memset(payload, 0x55, sizeof payload);
    memset(messages, 0, sizeof messages);
    for (size_t i = 0; i < BATCH; i++) {
        messages[i].msg_hdr.msg_iov = &part;
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int64_t start = now_ns(), end = start + milliseconds * INT64_C(1000000);
    int64_t from = start, since = 0, sent = 0, refused = 0;
    for (int64_t now = start; now < end; now = now_ns()) {
        int64_t due = (now - from) / 1000 * rate / 1000000 - since;
        if (due > (int64_t)BEHIND_NS / 1000 * rate / 1000000 + BATCH) {
            from = now;
            since = 0;
            continue;
        }
        if (due <= 0) {
            sleep_until(now + STEP_NS);
            continue;
        }
        long taken = send_some(fd, messages, due, &refused);
        since += taken;
        sent += taken;
    }
    printf("{\"sent\":%lld,\"refused\":%lld,\"us\":%lld}\n", (long long)sent, (long long)refused,
           (long long)((now_ns() - start) / 1000));
    return 0;
}

static long long drops_of(int fd)
{
    uint32_t info[MEMINFO_VARS] = { 0 };
    socklen_t bytes = sizeof info;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &bytes) < 0)
        return -1;
    return info[MEMINFO_DROPS];
}

static int receive_all(int fd, long milliseconds)
{
    static const int room = BUFFER_BYTES;
    char payload[BATCH][BYTES_MAX];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    memset(messages, 0, sizeof messages);
    for (size_t i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){ .iov_base = payload[i], .iov_len = BYTES_MAX };
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
        return -1;
    printf("ready\n");
    (void)fflush(stdout);
    int64_t end = now_ns() + milliseconds * INT64_C(1000000);
    long long received = 0;
    int64_t last = 0, longest = 0;
    for (int64_t now = now_ns(); now < end; now = now_ns()) {
        struct pollfd one = { .fd = fd, .events = POLLIN };
        int left = (int)((end - now) / 1000000) + 1;
        int ready = poll(&one, 1, received > 0 && left > SILENCE_MS ? SILENCE_MS : left);
        if (ready < 0 && errno != EINTR)
            return -1;
        if (ready == 0)
            break;
        int got = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
        if (got <= 0)
            continue;
        int64_t at = now_ns();
        if (last != 0 && at - last > longest)
            longest = at - last;
        last = at;
        received += got;
    }
    printf("{\"received\":%lld,\"dropped\":%lld,\"longestUs\":%lld}\n", received, drops_of(fd),
           (long long)(longest / 1000));
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: packets send ADDRESS PORT BYTES RATE MILLISECONDS\n"
                    "       packets receive ADDRESS PORT MILLISECONDS\n");
    return 2;
}

int main(int argc, char **argv)
{
    int sends = argc == 7 && strcmp(argv[1], "send") == 0;
    int receives = argc == 5 && strcmp(argv[1], "receive") == 0;
    if (!sends && !receives)
        return usage();
    long milliseconds = number(argv[argc - 1], MILLISECONDS_MAX);
    long bytes = sends ? number(argv[4], BYTES_MAX) : 1;
    long rate = sends ? number(argv[5], RATE_MAX) : 1;
    if (milliseconds == 0 || bytes == 0 || rate == 0)
        return usage();
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    struct sockaddr_in to;
    int fd = open_socket(argv[2], number(argv[3], UINT16_MAX), &to);
    const struct sockaddr *name = (const struct sockaddr *)&to;
    int named = fd < 0 ? -1 : sends ? connect(fd, name, sizeof to) : bind(fd, name, sizeof to);
    int done = named < 0 ? -1
               : sends   ? send_all(fd, bytes, rate, milliseconds)
                         : receive_all(fd, milliseconds);
    if (done < 0)
        perror("packets");
    if (fd >= 0)
        (void)close(fd);
    return done < 0;
}
