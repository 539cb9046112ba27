/* sources: PACKET_PATH */
/*
 * io_test.c — one struct io from end to end, in a network namespace of its own:
 *
 *     a UDP socket -> TUN -> io_tun_read -> io_prepare -> io_send_* -> loopback
 *     loopback -> io_receive -> io_accept -> io_tun_write -> TUN -> a packet socket
 *
 * Sealing and opening are the callers' and left out: the tags are zeros, and which segments "did
 * not open" is written into the job. The same struct io sends to itself.
 */
#define _GNU_SOURCE
#include "io_lab.h"

/* A whole way: five packets out, five in, byte for byte. */
static void test_whole_way(struct lab *lab)
{
    int sent;
    unsigned packets;

    send_inner(lab, 5000, 1000);
    read_run(lab, 5);
    prepare_and_send(lab, &sent);
    CHECK_EQUAL(sent, 5);
    CHECK_EQUAL(load64(session_at(lab, 0) + SESSION_SEND_COUNTER), 5);
    CHECK_EQUAL(receive_runs(lab), 1);
    check_slots(lab);
    const uint8_t *job = job_at(lab, 0);
    CHECK_EQUAL(load32(job + JOB_COUNT), 5);
    CHECK_EQUAL(load32(job + JOB_RECEIVER_INDEX), INDEX);
    CHECK_EQUAL(load32(job + JOB_MESSAGE_TYPE), 4);
    CHECK(memcmp(job + JOB_SOURCE, lab->endpoint.bytes, 8) == 0);
    int result = io_accept(lab->io, 0);
    CHECK_EQUAL(result, ACCEPT_AUTHENTIC | 5);
    CHECK_EQUAL(load64(session_at(lab, 1) + SESSION_LAST_COUNTER), 5);
    CHECK_EQUAL(load32(job + JOB_WRITE_LOW), 0x1f);
    CHECK_EQUAL(load32(job + JOB_WRITE_HIGH), 0);
    empty_sniffer(lab);
    CHECK_EQUAL(io_tun_write(lab->io, 0), 5);
    CHECK_EQUAL(sniffed(lab, &packets), 5000);
    printf("five packets: %u written to the TUN\n", packets);
    CHECK_EQUAL(packets, lab->uso ? 1 : 5);
    CHECK_EQUAL(counted(lab, COUNT_TUN_WRITTEN_PACKETS), 5);
    CHECK_EQUAL(counted(lab, COUNT_SENT_DATAGRAMS), 5);
    CHECK_EQUAL(counted(lab, COUNT_RECEIVED_DATAGRAMS), 5);
}

/* The same datagrams once more: nothing is new. */
static void test_replay(struct lab *lab)
{
    uint64_t before = counted(lab, DROP_REPLAYED);
    CHECK_EQUAL(io_send_add(lab->io, OUT_JOB), 0);
    CHECK_EQUAL(io_send_flush(lab->io), 5);
    CHECK_EQUAL(receive_runs(lab), 1);
    CHECK_EQUAL(io_accept(lab->io, 0), 0);
    CHECK_EQUAL(counted(lab, DROP_REPLAYED) - before, 5);
}

/* Segments that did not open are neither marked nor written; the others are. */
static void test_failed(struct lab *lab)
{
    int sent;
    unsigned packets;

    send_inner(lab, 4000, 1000);
    read_run(lab, 4);
    prepare_and_send(lab, &sent);
    CHECK_EQUAL(receive_runs(lab), 1);
    uint8_t *job = job_at(lab, 0);
    store32(job + JOB_FAILED_LOW, 0x9);
    CHECK_EQUAL(io_accept(lab->io, 0), ACCEPT_AUTHENTIC | 2);
    CHECK_EQUAL(load32(job + JOB_WRITE_LOW), 0x6);
    CHECK_EQUAL(counted(lab, DROP_OPEN_FAILED), 2);
    empty_sniffer(lab);
    store32(job + JOB_WRITE_LOW, 0);
    CHECK_EQUAL(io_tun_write(lab->io, 0), 0);
    /* The genuine ones still come through later. */
    store32(job + JOB_FAILED_LOW, 0);
    CHECK_EQUAL(io_accept(lab->io, 0), ACCEPT_AUTHENTIC | 2);
    CHECK_EQUAL(load32(job + JOB_WRITE_LOW), 0x9);
    store32(job + JOB_WRITE_LOW, 0x1);
    CHECK_EQUAL(io_tun_write(lab->io, 0), 1);
    CHECK_EQUAL(sniffed(lab, &packets), 1000);
    CHECK_EQUAL(packets, 1);
}

/* What was found of a run is in its job; a source that leads elsewhere is not written. */
static void test_found(struct lab *lab)
{
    int sent;

    lead_to(&lab->arena, -1);
    send_inner(lab, 4000, 1000);
    read_run(lab, 4);
    CHECK_EQUAL(load32(job_at(lab, OUT_JOB) + JOB_FOUND), 0);
    lead_to(&lab->arena, 0);
    CHECK_EQUAL(io_find(lab->io, OUT_JOB), FOUND_PEER | FOUND_FITS);
    store32(peer_at(lab) + PEER_PATH_MTU, 1008);
    CHECK_EQUAL(io_find(lab->io, OUT_JOB), FOUND_PEER);
    store32(peer_at(lab) + PEER_PATH_MTU, 0);
    store32(peer_at(lab) + PEER_CURRENT, 1);
    store_f64(session_at(lab, 0) + SESSION_REJECT_AT_MS, 1);
    CHECK_EQUAL(io_find(lab->io, OUT_JOB), FOUND_PEER | FOUND_FITS | FOUND_SESSION);
    store_f64(session_at(lab, 0) + SESSION_REJECT_AT_MS, 1e15);
    CHECK_EQUAL(io_find(lab->io, OUT_JOB),
                FOUND_PEER | FOUND_FITS | FOUND_SESSION | FOUND_ALIVE);
    CHECK_EQUAL(io_find_session(lab->io, OUT_JOB), FOUND_SESSION | FOUND_ALIVE);
    CHECK_EQUAL(io_find(lab->io, RING_JOBS), 0);
    store32(peer_at(lab) + PEER_CURRENT, 0);
    prepare_and_send(lab, &sent);
    CHECK_EQUAL(receive_runs(lab), 1);
    CHECK_EQUAL(load32(job_at(lab, 0) + JOB_FOUND), 0);
    lead_to(&lab->arena, -1);
    uint64_t strays = counted(lab, DROP_INNER_SOURCE);
    CHECK_EQUAL(io_accept(lab->io, 0), ACCEPT_AUTHENTIC);
    CHECK_EQUAL(counted(lab, DROP_INNER_SOURCE) - strays, 4);
    CHECK_EQUAL(io_tun_write(lab->io, 0), 0);
    lead_to(&lab->arena, 0);
}

static void send_raw(struct lab *lab, const uint8_t *datagram, size_t bytes)
{
    CHECK_EQUAL(sendto(lab->udp, datagram, bytes, 0, &lab->endpoint.any,
                       address_length(&lab->endpoint)), (ssize_t)bytes);
}

static void make_datagram(uint8_t *at, uint32_t type, uint32_t index, uint64_t counter,
                          size_t bytes)
{
    memset(at, 0, bytes);
    store32(at, type);
    store32(at + 4, index);
    store64(at + 8, counter);
}

/* What is no transport datagram is counted and never becomes a run. */
static void test_junk(struct lab *lab)
{
    uint8_t datagram[2000];
    uint64_t bad = counted(lab, DROP_BAD_TYPE), empty = counted(lab, DROP_TOO_SHORT);

    make_datagram(datagram, 9, INDEX, 0, 100);
    send_raw(lab, datagram, 100);
    CHECK_EQUAL(receive_runs(lab), 0);
    CHECK_EQUAL(counted(lab, DROP_BAD_TYPE) - bad, 1);
    make_datagram(datagram, 4, INDEX, 0, 31);
    send_raw(lab, datagram, 31);
    CHECK_EQUAL(receive_runs(lab), 0);
    send_raw(lab, datagram, 0);
    CHECK_EQUAL(receive_runs(lab), 0);
    CHECK_EQUAL(counted(lab, DROP_TOO_SHORT) - empty, 2);
    check_slots(lab);
}

/* Datagrams of two sessions and two sizes in one receive: a run each, in order. */
static void test_runs(struct lab *lab)
{
    const struct { uint32_t index, bytes; } sends[] = {
        { 1, 100 }, { 1, 100 }, { 1, 60 }, { 1, 100 }, { 2, 60 }, { 2, 100 }, { 2, 99 },
    };
    const uint32_t counts[] = { 3, 1, 1, 2 };
    uint8_t datagram[200];

    CHECK_EQUAL(udp_gro(lab->udp, false), 0);
    for (uint32_t i = 0; i < sizeof sends / sizeof sends[0]; i++) {
        make_datagram(datagram, 4, sends[i].index, i, sends[i].bytes);
        send_raw(lab, datagram, sends[i].bytes);
    }
    CHECK_EQUAL(receive_runs(lab), 4);
    check_slots(lab);
    for (uint32_t run = 0, next = 0; run < 4; run++) {
        const uint8_t *job = job_at(lab, run);
        struct segments segments;
        CHECK(segments_of(&lab->arena, job, &segments));
        CHECK_EQUAL(segments.count, counts[run]);
        CHECK_EQUAL(load32(job + JOB_RECEIVER_INDEX), sends[next].index);
        for (uint32_t i = 0; i < segments.count; i++, next++)
            CHECK_EQUAL(load64(segments.at + (size_t)i * segments.stride + 8), next);
    }
    CHECK_EQUAL(udp_gro(lab->udp, true), 0);
}

/* A keepalive, a control frame, rubbish inside, and a peer that moved. */
static void test_inside(struct lab *lab)
{
    uint8_t datagram[100];
    uint64_t counter = 1000;
    union address elsewhere = lab->endpoint;

    make_datagram(datagram, 4, INDEX, counter++, 32);
    send_raw(lab, datagram, 32);
    CHECK_EQUAL(receive_runs(lab), 1);
    CHECK_EQUAL(io_accept(lab->io, 0), ACCEPT_AUTHENTIC);
    make_datagram(datagram, 4, INDEX, counter++, 64);
    send_raw(lab, datagram, 64);
    CHECK_EQUAL(receive_runs(lab), 1);
    CHECK_EQUAL(io_accept(lab->io, 0), ACCEPT_AUTHENTIC);
    CHECK_EQUAL(counted(lab, DROP_CONTROL_FRAME), 1);
    const uint8_t firsts[] = { 0x45, 0x60, 0x70, 0x01 };
    for (size_t i = 0; i < sizeof firsts; i++) {
        make_datagram(datagram, 4, INDEX, counter++, 64);
        datagram[DATA_HEADER_BYTES] = firsts[i]; /* lengths of 0 and of 40, in 32 bytes */
        send_raw(lab, datagram, 64);
        CHECK_EQUAL(receive_runs(lab), 1);
        CHECK_EQUAL(io_accept(lab->io, 0), ACCEPT_AUTHENTIC);
        store32(job_at(lab, 0) + JOB_WRITE_LOW, 1);
        CHECK_EQUAL(io_tun_write(lab->io, 0), 0);
    }
    CHECK_EQUAL(counted(lab, DROP_INNER_INVALID), sizeof firsts);
    elsewhere.v4.sin_port = (uint16_t)~elsewhere.v4.sin_port;
    memcpy(peer_at(lab) + PEER_ENDPOINT, elsewhere.bytes, SOCKADDR_BYTES);
    make_datagram(datagram, 4, INDEX, counter++, 32);
    send_raw(lab, datagram, 32);
    CHECK_EQUAL(receive_runs(lab), 1);
    CHECK_EQUAL(io_accept(lab->io, 0), ACCEPT_AUTHENTIC | ACCEPT_ROAMED);
    memcpy(peer_at(lab) + PEER_ENDPOINT, lab->endpoint.bytes, SOCKADDR_BYTES);
}

/* Without UDP_SEGMENT: the same datagrams, one message each. */
static void test_without_gso(struct lab *lab)
{
    struct io_options options = { .tun = lab->tun, .udp4 = lab->udp, .udp6 = -1,
                                  .wake = lab->wake, .vnet = true };
    int sent;

    io_close(lab->io);
    CHECK_EQUAL(io_open(&lab->arena, &options, &lab->io), 0);
    uint64_t sends = counted(lab, COUNT_SENDS);
    send_inner(lab, 5000, 1000);
    read_run(lab, 5);
    prepare_and_send(lab, &sent);
    CHECK_EQUAL(sent, 5);
    CHECK_EQUAL(counted(lab, COUNT_SENDS) - sends, 5);
    CHECK(receive_runs(lab) >= 1);
}

/* Jobs that cannot be: an index, a slot, a session or a size out of range. */
static void test_refused(struct lab *lab)
{
    uint8_t *job = job_at(lab, 9);
    const struct { uint32_t field, value; } bad[] = {
        { JOB_SLOT, SLOTS }, { JOB_COUNT, 0 }, { JOB_COUNT, 65 }, { JOB_SEGMENT_BYTES, 31 },
        { JOB_SEGMENT_BYTES, UINT32_MAX }, { JOB_LAST_BYTES, 31 }, { JOB_LAST_BYTES, 101 },
        { JOB_SESSION, SESSIONS },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memset(job, 0, JOB_STATE);
        store32(job + JOB_COUNT, 2);
        store32(job + JOB_SEGMENT_BYTES, 100);
        store32(job + JOB_LAST_BYTES, 100);
        CHECK_EQUAL(io_prepare(&lab->arena, 9, 0), 0);
        store32(job + bad[i].field, bad[i].value);
        CHECK_EQUAL(io_prepare(&lab->arena, 9, 0), -EINVAL);
        CHECK_EQUAL(io_accept(lab->io, 9), -EINVAL);
    }
    store32(job + JOB_SESSION, 0);
    store32(job + JOB_PEER, 1);
    CHECK_EQUAL(io_prepare(&lab->arena, 9, 0), -EINVAL);
    CHECK_EQUAL(io_send_add(lab->io, 9), -EINVAL);
    CHECK_EQUAL(io_tun_read(lab->io, RING_JOBS), -EINVAL);
    CHECK_EQUAL(io_tun_write(lab->io, RING_JOBS), -EINVAL);
    CHECK_EQUAL(io_send_add(lab->io, UINT32_MAX), -EINVAL);
    /* The last counters are never used: 2^64 - 2^13 - 1, paper 6.1. */
    store32(job + JOB_PEER, 0);
    store64(session_at(lab, 0) + SESSION_SEND_COUNTER, UINT64_MAX - 8192);
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(io_prepare(&lab->arena, 9, 0), -EOVERFLOW);
    /* Refusals do not drive the counter on until it wraps. */
    CHECK(load64(session_at(lab, 0) + SESSION_SEND_COUNTER) == UINT64_MAX - 8192);
}

/* A session's own limit: a run that could reach it is refused, whatever the limit is. */
static void test_limited(struct lab *lab)
{
    uint8_t *job = job_at(lab, 9), *session = session_at(lab, 0);

    memset(job, 0, JOB_STATE);
    store32(job + JOB_COUNT, 2);
    store32(job + JOB_SEGMENT_BYTES, 100);
    store32(job + JOB_LAST_BYTES, 100);
    store64(session + SESSION_REJECT_AT, 1000);
    store64(session + SESSION_SEND_COUNTER, 1000 - JOB_SEGMENTS - 1);
    CHECK_EQUAL(io_prepare(&lab->arena, 9, 0), 0);
    CHECK_EQUAL(io_prepare(&lab->arena, 9, 0), -EOVERFLOW);
    CHECK(load64(session + SESSION_SEND_COUNTER) == 1000 - JOB_SEGMENTS + 1);
    /* Raised, it goes on; lowered below what was used, it does not. */
    store64(session + SESSION_REJECT_AT, 2000);
    CHECK_EQUAL(io_prepare(&lab->arena, 9, 0), 0);
    for (uint64_t limit = 0; limit <= JOB_SEGMENTS; limit += JOB_SEGMENTS / 2) {
        store64(session + SESSION_REJECT_AT, limit);
        store64(session + SESSION_SEND_COUNTER, 0);
        CHECK_EQUAL(io_prepare(&lab->arena, 9, 0), -EOVERFLOW);
    }
    /* Nor does a field that was never filled lift WireGuard's limit. */
    store64(session + SESSION_REJECT_AT, UINT64_MAX);
    store64(session + SESSION_SEND_COUNTER, REJECT_AFTER_MESSAGES - JOB_SEGMENTS);
    CHECK_EQUAL(io_prepare(&lab->arena, 9, 0), -EOVERFLOW);
}

int main(void)
{
    static struct lab lab;

    enter_namespace();
    set_up(&lab);
    printf("USO on the TUN: %s\n", lab.uso ? "yes" : "no");
    test_whole_way(&lab);
    PASSED("five packets through TUN, loopback and TUN again");
    test_replay(&lab);
    PASSED("the same datagrams again are refused");
    test_failed(&lab);
    test_found(&lab);
    PASSED("segments that did not open");
    test_junk(&lab);
    PASSED("junk is counted");
    test_runs(&lab);
    PASSED("two sessions and two sizes in one receive");
    test_inside(&lab);
    PASSED("keepalives, control frames, rubbish inside, another endpoint");
    test_without_gso(&lab);
    PASSED("without segmentation offload");
    test_refused(&lab);
    PASSED("jobs that cannot be");
    test_limited(&lab);
    PASSED("a session's own limit of messages");
    io_close(lab.io);
    close(lab.tun);
    close(lab.udp);
    close(lab.wake);
    close(lab.sniffer);
    close(lab.sender);
    free(lab.arena.base);
    return 0;
}
