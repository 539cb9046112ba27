/*
 * recorder — the UDP payloads that come in over a device for a port, as flooder.c sends them.
 *
 *     recorder DEVICE PORT COUNT SECONDS PAYLOADS
 *
 * Says "recording", then {"recorded":N}. PAYLOADS becomes a file of records: length (u16, little
 * endian), bytes. Ends by itself.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "program.h"

#define IP_BYTES 20
#define UDP_BYTES 8
#define PAYLOADS_MAX 8192
#define PAYLOAD_BYTES_MAX 1472
#define PACKET_BYTES_MAX 2048
#define SECONDS_MAX 900

/* Bytes of the UDP payload of an IPv4 packet for a port, and where it begins; 0: another packet. */
static size_t payload_in(const uint8_t *packet, size_t bytes, long port, const uint8_t **payload)
{
    if (bytes < (IP_BYTES + UDP_BYTES) || packet[0] != 0x45 || packet[9] != IPPROTO_UDP)
        return 0;
    long to = packet[22] << 8 | packet[23];
    size_t length = (size_t)(packet[24] << 8 | packet[25]);
    if (to != port || length <= UDP_BYTES || length + IP_BYTES > bytes)
        return 0;
    *payload = packet + (IP_BYTES + UDP_BYTES);
    return length - UDP_BYTES;
}

static int record_all(int fd, long port, long count, long seconds, FILE *file)
{
    uint8_t packet[PACKET_BYTES_MAX];
    long recorded = 0;
    int64_t end = now_ns() + seconds * NS_PER_S;
    printf("recording\n");
    (void)fflush(stdout);
    for (int64_t now = now_ns(); recorded < count && now < end; now = now_ns()) {
        struct pollfd one = { .fd = fd, .events = POLLIN };
        if (poll(&one, 1, (int)((end - now) / 1000000) + 1) <= 0)
            continue;
        struct sockaddr_ll from = { 0 };
        socklen_t size = sizeof from;
        struct sockaddr *name = (struct sockaddr *)&from;
        ssize_t got = recvfrom(fd, packet, sizeof packet, MSG_TRUNC, name, &size);
        const uint8_t *payload = NULL;
        /* What is longer than the room was merged on the way: no datagram of the wire. */
        if (got < 0 || (size_t)got > sizeof packet || from.sll_pkttype == PACKET_OUTGOING)
            continue;
        size_t bytes = payload_in(packet, (size_t)got, port, &payload);
        uint8_t length[2] = { (uint8_t)(bytes & 0xff), (uint8_t)(bytes >> 8) };
        if (bytes == 0 || bytes > PAYLOAD_BYTES_MAX)
            continue;
        if (fwrite(length, 1, 2, file) != 2 || fwrite(payload, 1, bytes, file) != bytes)
            return -EIO;
        recorded++;
    }
    printf("{\"recorded\":%ld}\n", recorded);
    return 0;
}

static int run(char **words)
{
    long port = number(words[1], UINT16_MAX), count = number(words[2], PAYLOADS_MAX);
    long seconds = number(words[3], SECONDS_MAX);
    unsigned device = if_nametoindex(words[0]);
    if (port == 0 || count == 0 || seconds == 0 || device == 0)
        return -EINVAL;
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
    if (fd < 0)
        return -errno;
    struct sockaddr_ll on = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
    on.sll_ifindex = (int)device;
    FILE *file = NULL;
    int done = 0;
    if (bind(fd, (const struct sockaddr *)&on, sizeof on) < 0)
        done = -errno;
    else if ((file = fopen(words[4], "wb")) == NULL)
        done = -errno;
    else
        done = record_all(fd, port, count, seconds, file);
    if (file != NULL && fclose(file) != 0 && done == 0)
        done = -errno;
    (void)close(fd);
    return done;
}

int main(int argc, char **argv)
{
    int done = argc == 6 ? run(argv + 1) : -EINVAL;
    if (done == -EINVAL) {
        fprintf(stderr, "usage: recorder DEVICE PORT COUNT SECONDS PAYLOADS\n");
        return 2;
    }
    if (done < 0)
        fprintf(stderr, "recorder: %s\n", strerror(-done));
    return done < 0;
}
