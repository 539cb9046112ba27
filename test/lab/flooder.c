/*
 * flooder — datagrams at an exact rate from any address of a laboratory.
 *
 *     flooder SOURCE ADDRESS PORT PAYLOADS MEGABITS SECONDS
 *         SOURCE is ADDRESS:PORT, or ADDRESS/LENGTH for sources and ports taken at random from it
 *         says "flooding" when the first are sent, then {"sent":N,"refused":N,"us":N}
 *
 * PAYLOADS is a file of records: length (u16, little endian), bytes. They are sent in turn, each as
 * one datagram with a right UDP checksum. From random sources one system call sends up to 64;
 * from one source the kernel cuts them of one (UDP_SEGMENT), which takes less processor time and
 * leaves it to those that are measured. MEGABITS counts what a line of Ethernet carries, preamble,
 * gap and check sum too. What could not be sent for 20 ms is not made up for: then the flood is
 * slower than asked. Nothing but addresses of a laboratory (headers.h) is sent to or
 * from: loopback, 192.0.2.0/24 (RFC 5737), 198.18.0.0/15 (RFC 2544), 2001:db8::/32 (RFC 3849). Ends
 * by itself.
 *
 * It goes before all others that want a processor: an attacker has processors of his own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "headers.h"
#include "program.h"

#define BATCH 64
#define PAYLOADS_MAX 8192
#define PAYLOAD_BYTES_MAX 1472
/* Header, check sum, preamble and gap: what a frame takes of a line beside its packet. */
#define ETHERNET_BYTES (14 + 4 + 20)
/* One message of the kernel's, at most. Source: udp(7), UDP_SEGMENT; RFC 768. */
#define TOGETHER_BYTES 65000
#define STEP_NS 200000
/* Behind by more than this, the sender begins anew. */
#define BEHIND_NS 20000000
#define MEGABITS_MAX 100000
#define SECONDS_MAX 900
#define BUFFER_BYTES (4 * 1024 * 1024)

struct payload {
    uint16_t bytes;
    uint32_t sum; /* of its 16-bit words */
    uint8_t data[PAYLOAD_BYTES_MAX];
};

/* Count of payloads, or -errno; EBADMSG is a file of another form. */
static int read_payloads(const char *path, struct payload *payloads)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return -errno;
    int count = 0;
    uint8_t length[2];
    while (count < PAYLOADS_MAX && fread(length, 1, 2, file) == 2) {
        struct payload *one = &payloads[count];
        one->bytes = (uint16_t)(length[0] | length[1] << 8);
        if (one->bytes > PAYLOAD_BYTES_MAX || fread(one->data, 1, one->bytes, file) != one->bytes) {
            count = -EBADMSG;
            break;
        }
        one->sum = sum_of(one->data, one->bytes);
        count++;
    }
    (void)fclose(file);
    return count == 0 ? -EBADMSG : count;
}

struct flood {
    int fd;
    struct source source;
    union place to;
    uint16_t port;
    const struct payload *payloads;
    int count;
    int next;
    uint64_t state;
    /* Sends up to a batch, not more than `due` bits. Bits sent or refused; each counts once. */
    int64_t (*send)(struct flood *flood, int64_t due);
    int64_t sent, refused;
    struct headers headers[BATCH];
    struct iovec parts[BATCH][2];
    struct mmsghdr messages[BATCH];
};

static void prepare(struct flood *flood)
{
    memset(flood->messages, 0, sizeof flood->messages);
    for (size_t i = 0; i < BATCH; i++) {
        flood->parts[i][0] = (struct iovec){ .iov_base = &flood->headers[i],
                                             .iov_len = header_bytes(&flood->to) };
        flood->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &flood->to,
            .msg_namelen = place_bytes(&flood->to),
            .msg_iov = flood->parts[i],
            .msg_iovlen = 2,
        };
    }
}

static int64_t line_bits(const struct flood *flood, const struct payload *payload)
{
    return 8 * (int64_t)(payload->bytes + header_bytes(&flood->to) + ETHERNET_BYTES);
}

static const struct payload *take_payload(struct flood *flood)
{
    const struct payload *payload = &flood->payloads[flood->next];
    flood->next = (flood->next + 1) % flood->count;
    return payload;
}

/* Each with headers of its own. */
static int64_t send_apart(struct flood *flood, int64_t due)
{
    unsigned filled = 0;
    int64_t bits = 0;
    int64_t each[BATCH];
    while (filled < BATCH && bits < due) {
        const struct payload *payload = take_payload(flood);
        make_headers(&flood->headers[filled], &flood->source, &flood->to, flood->port,
                     payload->bytes, payload->sum, &flood->state);
        /* sendmsg takes what is written here as readable only. */
        void *data = (void *)(uintptr_t)payload->data;
        flood->parts[filled][1] = (struct iovec){ .iov_base = data, .iov_len = payload->bytes };
        each[filled] = line_bits(flood, payload);
        bits += each[filled++];
    }
    int done = sendmmsg(flood->fd, flood->messages, filled, 0);
    if (done < 0) {
        flood->refused += filled;
        return bits;
    }
    flood->sent += done;
    int64_t gone = 0;
    for (int i = 0; i < done; i++)
        gone += each[i];
    return gone;
}

/* As one message that the kernel cuts; all are as long as the first. */
static int64_t send_together(struct flood *flood, int64_t due)
{
    struct iovec parts[BATCH];
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
    } control = { 0 };
    struct msghdr message = {
        .msg_name = &flood->to,
        .msg_namelen = place_bytes(&flood->to),
        .msg_iov = parts,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    const struct payload *first = &flood->payloads[flood->next];
    size_t most = TOGETHER_BYTES / first->bytes;
    int64_t bits = 0;
    for (size_t i = 0; i < BATCH && i < most && bits < due; i++) {
        if (flood->payloads[flood->next].bytes != first->bytes)
            break;
        const struct payload *payload = take_payload(flood);
        /* sendmsg takes what is written here as readable only. */
        void *data = (void *)(uintptr_t)payload->data;
        parts[i] = (struct iovec){ .iov_base = data, .iov_len = payload->bytes };
        bits += line_bits(flood, payload);
        message.msg_iovlen = i + 1;
    }
    control.header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(uint16_t)),
        .cmsg_level = SOL_UDP,
        .cmsg_type = UDP_SEGMENT,
    };
    memcpy(CMSG_DATA(&control.header), &first->bytes, sizeof first->bytes);
    if (sendmsg(flood->fd, &message, 0) < 0)
        flood->refused += (int64_t)message.msg_iovlen;
    else
        flood->sent += (int64_t)message.msg_iovlen;
    return bits;
}

static int send_all(struct flood *flood, long megabits, long seconds)
{
    int64_t start = now_ns(), end = start + seconds * NS_PER_S;
    int64_t from = start, since = 0, told = 0;
    for (int64_t now = start; now < end; now = now_ns()) {
        if (told == 0 && flood->sent > 0) {
            printf("flooding\n");
            (void)fflush(stdout);
            told = 1;
        }
        /* Megabits a second are bits a microsecond. */
        int64_t due = (now - from) / 1000 * megabits - since;
        if (due <= 0) {
            sleep_until(now + STEP_NS);
            continue;
        }
        if (due > BEHIND_NS / 1000 * megabits) {
            from = now;
            since = 0;
            due = 1;
        }
        since += flood->send(flood, due);
    }
    int64_t us = (now_ns() - start) / 1000;
    printf("{\"sent\":%lld,\"refused\":%lld,\"us\":%lld}\n", (long long)flood->sent,
           (long long)flood->refused, (long long)us);
    return 0;
}

/* A socket for datagrams of a source that may be another host's; 0 or -errno. */
static int open_flood(struct flood *flood)
{
    int one = 1, family = flood->to.any.sa_family;
    int together = flood->source.random == 0 && flood->source.port != 0;

    flood->send = together ? send_together : send_apart;
    flood->fd = together ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
                         : socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (flood->fd < 0)
        return -errno;
    if (!together)
        return 0;
    flood->to.v4.sin_port = htons(flood->port);
    if (setsockopt(flood->fd, SOL_IP, IP_TRANSPARENT, &one, sizeof one) < 0 ||
        bind(flood->fd, &flood->source.at.any, place_bytes(&flood->source.at)) < 0) {
        int result = -errno;
        (void)close(flood->fd);
        return result;
    }
    return 0;
}

/* Before all others, and on time: an attacker has processors of his own. */
static void hurry(void)
{
    struct sched_param first = { .sched_priority = 1 };
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    if (sched_setscheduler(0, SCHED_FIFO, &first) < 0)
        perror("flooder: no priority");
}

static int run(char **words, struct payload *payloads)
{
    struct flood flood = { .payloads = payloads, .state = (uint64_t)now_ns() | 1 };
    long port = number(words[2], UINT16_MAX);
    long megabits = number(words[4], MEGABITS_MAX), seconds = number(words[5], SECONDS_MAX);
    if (source_of(words[0], &flood.source) < 0 || place_of(words[1], &flood.to) < 0)
        return -EINVAL;
    if (flood.source.at.any.sa_family != flood.to.any.sa_family || !port || !megabits || !seconds)
        return -EINVAL;
    flood.port = (uint16_t)port;
    flood.count = read_payloads(words[3], payloads);
    if (flood.count < 0)
        return flood.count;
    prepare(&flood);
    int result = open_flood(&flood);
    if (result < 0)
        return result;
    hurry();
    int room = BUFFER_BYTES;
    int done = setsockopt(flood.fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) < 0
                   ? -errno
                   : send_all(&flood, megabits, seconds);
    (void)close(flood.fd);
    return done;
}

int main(int argc, char **argv)
{
    struct payload *payloads = calloc(PAYLOADS_MAX, sizeof *payloads);
    int done = payloads == NULL ? -ENOMEM : argc == 7 ? run(argv + 1, payloads) : -EINVAL;
    free(payloads);
    if (done == -EINVAL) {
        fprintf(stderr, "usage: flooder SOURCE ADDRESS PORT PAYLOADS MEGABITS SECONDS\n"
                        "SOURCE is ADDRESS:PORT or ADDRESS/LENGTH; addresses are those of a\n"
                        "laboratory: 127/8, 192.0.2.0/24, 198.18.0.0/15, 2001:db8::/32\n");
        return 2;
    }
    if (done < 0)
        fprintf(stderr, "flooder: %s\n", strerror(-done));
    return done < 0;
}
