/*
 * stream — TCP as fast as it goes, and the longest time in which nothing of it came.
 *
 *     stream send ADDRESS PORT MILLISECONDS       prints {"bytes":N,"again":N}: segments sent again
 *     stream receive ADDRESS PORT MILLISECONDS    prints "ready", then {"bytes":N,"longestUs":N};
 *                                                 of one stream, from its first byte to its end
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <linux/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "program.h"

#define CHUNK (256 * 1024)
#define MILLISECONDS_MAX 60000

static char chunk[CHUNK];

static int send_all(int fd, int64_t end)
{
    long long bytes = 0;
    while (now_ns() < end) {
        ssize_t sent = send(fd, chunk, sizeof chunk, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return -1;
        bytes += sent > 0 ? sent : 0;
    }
    struct tcp_info info = { 0 };
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return -1;
    printf("{\"bytes\":%lld,\"again\":%u}\n", bytes, info.tcpi_total_retrans);
    return 0;
}

static int receive_all(int fd, int64_t end)
{
    long long bytes = 0;
    int64_t last = 0, longest = 0;
    for (;;) {
        int64_t now = now_ns();
        struct pollfd one = { .fd = fd, .events = POLLIN };
        if (now >= end || poll(&one, 1, (int)((end - now) / 1000000) + 1) <= 0)
            break;
        ssize_t got = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (got == 0)
            break;
        if (got < 0)
            continue;
        now = now_ns();
        if (last != 0 && now - last > longest)
            longest = now - last;
        last = now;
        bytes += got;
    }
    printf("{\"bytes\":%lld,\"longestUs\":%lld}\n", bytes, (long long)(longest / 1000));
    return 0;
}

static int accept_one(int fd)
{
    if (listen(fd, 1) < 0)
        return -1;
    printf("ready\n");
    (void)fflush(stdout);
    return accept(fd, NULL, NULL);
}

int main(int argc, char **argv)
{
    int sends = argc == 5 && strcmp(argv[1], "send") == 0;
    long milliseconds = argc == 5 ? number(argv[4], MILLISECONDS_MAX) : 0;
    long port = argc == 5 ? number(argv[3], UINT16_MAX) : 0;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    if (port == 0 || milliseconds == 0 || inet_pton(AF_INET, argv[2], &at.sin_addr) != 1) {
        fprintf(stderr, "usage: stream send|receive ADDRESS PORT MILLISECONDS\n");
        return 2;
    }
    const struct sockaddr *name = (const struct sockaddr *)&at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int done = fd < 0 ? -1 : sends ? connect(fd, name, sizeof at) : bind(fd, name, sizeof at);
    int64_t end = now_ns() + milliseconds * INT64_C(1000000);
    if (done == 0 && sends)
        done = send_all(fd, end);
    else if (done == 0) {
        int one = accept_one(fd);
        done = one < 0 ? -1 : receive_all(one, end);
    }
    if (done < 0)
        perror("stream");
    return done < 0;
}
