/*
 * bare — the least that any VPN in user space does: one epoll, read here, write there. No protocol,
 * no cipher, no offload. Its round trip is the floor under every other one.
 *
 *     bare INTERFACE PEER-IPV4        port 51820 on both ends; runs until it is ended
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT 51820

static int open_tun(const char *name)
{
    struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (fd < 0 || strlen(name) >= sizeof request.ifr_name)
        return -1;
    memcpy(request.ifr_name, name, strlen(name) + 1);
    return ioctl(fd, TUNSETIFF, &request) < 0 ? -1 : fd;
}

static int open_udp(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(PORT) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    return fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) < 0 ? -1 : fd;
}

static int watch(int epoll, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data = { .fd = fd } };
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv)
{
    struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(PORT) };
    char packet[65536];

    if (argc != 3 || inet_pton(AF_INET, argv[2], &peer.sin_addr) != 1) {
        fprintf(stderr, "usage: bare INTERFACE PEER-IPV4\n");
        return 2;
    }
    int tun = open_tun(argv[1]), udp = open_udp(), epoll = epoll_create1(0);
    if (tun < 0 || udp < 0 || epoll < 0 || watch(epoll, tun) < 0 || watch(epoll, udp) < 0) {
        perror("bare");
        return 1;
    }
    printf("bare is up\n");
    fflush(stdout);
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(epoll, &event, 1, -1) < 1) {
            if (errno == EINTR)
                continue;
            return 1;
        }
        if (event.data.fd == tun) {
            ssize_t got = read(tun, packet, sizeof packet);
            if (got > 0)
                (void)sendto(udp, packet, (size_t)got, 0, (struct sockaddr *)&peer, sizeof peer);
        } else {
            ssize_t got = recv(udp, packet, sizeof packet, 0);
            if (got > 0 && write(tun, packet, (size_t)got) < 0)
                continue; /* lost, as a packet may be */
        }
    }
}
