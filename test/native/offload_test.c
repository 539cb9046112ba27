/* sources: PACKET_PATH */
/*
 * offload_test.c — what becomes of packets when the kernel refuses an offload that it has. The
 * refusals are the kernel's own: UDP_SEGMENT on a socket without checksums is EINVAL, and so are
 * the system calls that a seccomp filter picks out, as on kernels with the fault of facts 1.7.
 */
#define _GNU_SOURCE
#include "io_lab.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "probe.h"
#include "split.h"

/* Bytes of a probe's write: virtio header, IP, UDP, two segments of 16 bytes. */
#define UDP_PROBE_BYTES (16 + 20 + 8 + 2 * 16)

/* A count of /proc/net/snmp's second "Ip:" line. */
static unsigned long ip_count(unsigned column)
{
    char line[1024];
    unsigned long value = 0;
    FILE *file = fopen("/proc/thread-self/net/snmp", "r");

    CHECK(file != NULL);
    for (int seen = 0; seen < 2 && fgets(line, sizeof line, file) != NULL;)
        seen += strncmp(line, "Ip: ", 4) == 0;
    fclose(file);
    char *save = NULL, *word = strtok_r(line, " \n", &save);
    for (unsigned i = 0; i < column && word != NULL; i++)
        word = strtok_r(NULL, " \n", &save);
    CHECK(word != NULL);
    value = strtoul(word, NULL, 10);
    return value;
}

/* Columns: Forwarding, DefaultTTL, InReceives, InHdrErrors, ..., InDelivers. */
enum { IN_RECEIVES = 3, IN_HEADER_ERRORS = 4, IN_DELIVERS = 9, OUT_REQUESTS = 10 };

static void test_probe(void)
{
    int tun = tun_open("merge0", true, true);

    if (tun == -ENOENT || tun == -EPERM || tun == -EACCES)
        SKIP("no TUN device: /dev/net/tun is missing or CAP_NET_ADMIN is");
    CHECK(tun >= 0);
    bool uso = tun_offload(tun, 2) == 0;
    if (!uso)
        CHECK_EQUAL(tun_offload(tun, 1), 0);
    /* Down: the header is looked at first, and nothing is received. */
    CHECK_EQUAL(probe_merged(tun, VNET_GSO_NOBODY_KNOWS), -EINVAL);
    CHECK_EQUAL(probe_merged(tun, VNET_GSO_TCP4), 0);
    if (uso)
        CHECK_EQUAL(probe_merged(tun, VNET_GSO_UDP_L4), 0);
    CHECK_EQUAL(ip_count(IN_RECEIVES), 0);
    /* Up: received, and thrown away for its checksum. */
    link_up("merge0", true);
    unsigned long sent = ip_count(OUT_REQUESTS);
    CHECK_EQUAL(probe_merged(tun, VNET_GSO_NOBODY_KNOWS), -EINVAL);
    CHECK_EQUAL(probe_merged(tun, VNET_GSO_TCP4), 1);
    if (uso)
        CHECK_EQUAL(probe_merged(tun, VNET_GSO_UDP_L4), 1);
    CHECK(ip_count(IN_RECEIVES) > 0);
    CHECK_EQUAL(ip_count(IN_HEADER_ERRORS), ip_count(IN_RECEIVES));
    CHECK_EQUAL(ip_count(IN_DELIVERS), 0);
    CHECK_EQUAL(ip_count(OUT_REQUESTS), sent);
    CHECK_EQUAL(probe_merged(-1, VNET_GSO_TCP4), -EBADF);
    close(tun);
}

/* Five packets from the TUN to the socket; returns the messages that it took to send them. */
static uint64_t go_out(struct lab *lab)
{
    uint64_t sends = counted(lab, COUNT_SENDS);
    int sent;

    send_inner(lab, 5000, 1000);
    read_run(lab, 5);
    prepare_and_send(lab, &sent);
    CHECK_EQUAL(sent, 5);
    return counted(lab, COUNT_SENDS) - sends;
}

/* Five packets from the socket to the TUN; returns how many the kernel saw come from there. */
static unsigned come_in(struct lab *lab)
{
    unsigned packets;

    CHECK_EQUAL(receive_runs(lab), 1);
    CHECK_EQUAL(load32(job_at(lab, 0) + JOB_COUNT), 5);
    CHECK_EQUAL(io_accept(lab->io, 0), ACCEPT_AUTHENTIC | 5);
    empty_sniffer(lab);
    CHECK_EQUAL(io_tun_write(lab->io, 0), 5);
    CHECK_EQUAL(sniffed(lab, &packets), 5000);
    return packets;
}

static void set_checksums(struct lab *lab, bool on)
{
    int off = on ? 0 : 1;
    CHECK_EQUAL(setsockopt(lab->udp, SOL_SOCKET, SO_NO_CHECK, &off, sizeof off), 0);
}

/* EINVAL for a message of segments, and each of them goes alone: so do the next, for a while. */
static void test_unsegmented(struct lab *lab)
{
    double until, now;

    CHECK_EQUAL(go_out(lab), 1);
    CHECK_EQUAL(come_in(lab), lab->uso ? 1 : 5);
    set_checksums(lab, false);
    CHECK_EQUAL(go_out(lab), 5);
    CHECK_EQUAL(counted(lab, COUNT_UNSEGMENTED_RESENDS), 1);
    CHECK_EQUAL(counted(lab, DROP_SEND_REFUSED), 0);
    (void)come_in(lab);
    CHECK_EQUAL(go_out(lab), 5);
    CHECK_EQUAL(counted(lab, COUNT_UNSEGMENTED_RESENDS), 1);
    (void)come_in(lab);
    set_checksums(lab, true);
    memcpy(&now, entry(&lab->arena, REGION_IOS, IO_SIZE, 0) + IO_NOW_MS, sizeof now);
    memcpy(&until, peer_at(lab) + PEER_UNSEGMENTED_UNTIL_MS, sizeof until);
    CHECK(until > now + 5000 && until <= now + 10000);
    store64(peer_at(lab) + PEER_UNSEGMENTED_UNTIL_MS, 0);
    CHECK_EQUAL(go_out(lab), 1);
    (void)come_in(lab);
}

/* EINVAL, for the rest of this program, to a system call whose third argument compares so. */
static void refuse(uint32_t number, uint16_t compare, uint32_t third)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP((uint16_t)(BPF_JMP | compare | BPF_K), third, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { .len = sizeof program / sizeof program[0], .filter = program };

    CHECK_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_EQUAL(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

/* Merged packets are refused: all arrive alone, and none are merged once the probe is refused. */
static void test_unmerged(struct lab *lab)
{
    if (!lab->uso) {
        printf("no USO in this kernel: no UDP is merged\n");
        return;
    }
    /* More than a header and a packet is a merged one. */
    refuse(__NR_writev, BPF_JGT, 2);
    for (uint64_t i = 1; i <= 2; i++) {
        CHECK_EQUAL(go_out(lab), 1);
        CHECK_EQUAL(come_in(lab), 5);
        CHECK_EQUAL(counted(lab, COUNT_UNMERGED_REWRITES), i);
    }
    refuse(__NR_write, BPF_JEQ, UDP_PROBE_BYTES);
    CHECK_EQUAL(probe_merged(lab->tun, VNET_GSO_UDP_L4), -EINVAL);
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(go_out(lab), 1);
        CHECK_EQUAL(come_in(lab), 5);
        CHECK_EQUAL(counted(lab, COUNT_UNMERGED_REWRITES), 3);
    }
    CHECK_EQUAL(counted(lab, DROP_TUN_REFUSED), 0);
}

int main(void)
{
    static struct lab lab;

    enter_namespace();
    test_probe();
    PASSED("a probe, of a device that is down and of one that is up");
    set_up(&lab);
    test_unsegmented(&lab);
    PASSED("segments that the kernel refuses");
    test_unmerged(&lab);
    PASSED("merged packets that the kernel refuses");
    io_close(lab.io);
    free(lab.arena.base);
    return 0;
}
