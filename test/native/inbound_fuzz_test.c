/* sources: PACKET_PATH */
/*
 * inbound_fuzz_test.c — datagrams of every kind through a real socket, single and merged by GRO:
 * what is data comes out in runs, in order and byte for byte; handshake messages are passed on;
 * everything else is counted, and the counts add up.
 */
#define _GNU_SOURCE
#include "io_lab.h"

#include "fuzz.h"

#define SENDERS 3u
#define ROUND_MAX 12u
#define SENT_MAX (ROUND_MAX * 64u)
#define SEGMENT_MAX 1500u
#define INDEXES 3u

struct datagram {
    uint16_t port;
    size_t bytes;
    uint8_t at[SEGMENT_MAX];
};

struct bench {
    struct lab lab;
    int senders[SENDERS];
    uint16_t ports[SENDERS];
    int pass[2];
    struct datagram sent[SENT_MAX];
    size_t count;         /* of `sent` */
    uint64_t data, passed;
};

static void open_senders(struct bench *bench)
{
    for (size_t i = 0; i < SENDERS; i++) {
        struct sockaddr_in local = { .sin_family = AF_INET };
        socklen_t length = sizeof local;
        local.sin_addr.s_addr = htonl(0x7f000001);
        bench->senders[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        CHECK(bench->senders[i] >= 0);
        CHECK_EQUAL(bind(bench->senders[i], (struct sockaddr *)&local, length), 0);
        CHECK_EQUAL(getsockname(bench->senders[i], (struct sockaddr *)&local, &length), 0);
        bench->ports[i] = local.sin_port;
    }
    CHECK_EQUAL(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, bench->pass), 0);
    io_pass_to(bench->lab.io, bench->pass[0]);
}

/* Handshake messages, and what is said before a session. */
static bool is_control(const uint8_t *at, size_t bytes)
{
    uint32_t type = bytes >= 4 ? load32(at) : 0;
    return ((type == 1 || type == 5) && bytes == 148) ||
           ((type == 2 || type == 6) && bytes == 92) ||
           ((type == 3 || type == 7 || type == 10) && bytes == 64) ||
           (type == 9 && bytes == 1232);
}

static bool is_transport(const uint8_t *at, size_t bytes)
{
    return bytes >= 32 && (load32(at) == 4 || load32(at) == 8);
}

/* Random bytes, mostly with a header that has to be looked at. */
static void random_datagram(struct chance *chance, uint8_t *at, size_t bytes)
{
    uint8_t head[8] = { 0 };

    chance_fill(chance, at, bytes);
    head[0] = (uint8_t)(once_in(chance, 3) ? chance_below(chance, 11) : 4);
    head[4] = (uint8_t)chance_below(chance, INDEXES);
    if (once_in(chance, 12))
        head[1 + chance_below(chance, 3)] = (uint8_t)chance_next(chance);
    if (!once_in(chance, 12))
        memcpy(at, head, bytes < 8 ? bytes : 8);
}

/* One message: datagrams of one size and a shorter last one, cut by the kernel. */
static void send_message(struct bench *bench, struct chance *chance)
{
    static uint8_t bytes[64 * SEGMENT_MAX];
    const size_t known[] = { 0, 1, 31, 32, 33, 64, 92, 148, 160 };
    size_t sender = once_in(chance, 3) ? chance_below(chance, SENDERS) : 0;
    size_t size = once_in(chance, 2) ? known[chance_below(chance, 9)]
                                     : chance_below(chance, SEGMENT_MAX);
    size_t most = size == 0 ? 1 : 60000 / size < 40 ? 60000 / size : 40;
    size_t many = once_in(chance, 2) ? 1 : 1 + chance_below(chance, most);
    size_t total = 0;
    int segment = many > 1 ? (int)size : 0;

    for (size_t i = 0; i < many; i++) {
        size_t length = i > 0 && i + 1 == many ? 1 + chance_below(chance, size) : size;
        struct datagram *one = &bench->sent[bench->count++];
        CHECK(bench->count <= SENT_MAX);
        one->port = bench->ports[sender];
        one->bytes = length;
        random_datagram(chance, one->at, length);
        memcpy(bytes + total, one->at, length);
        total += length;
    }
    int fd = bench->senders[sender];
    CHECK_EQUAL(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment), 0);
    CHECK_EQUAL(sendto(fd, bytes, total, 0, &bench->lab.endpoint.any, sizeof(struct sockaddr_in)),
                (ssize_t)total);
}

/* The next sent datagram of a kind, passing over `*skip` others of it at most. */
static size_t match(const struct bench *bench, size_t from, bool (*kind)(const uint8_t *, size_t),
                    uint16_t port, const uint8_t *at, size_t bytes, uint64_t *skip)
{
    for (size_t i = from; i < bench->count; i++) {
        const struct datagram *one = &bench->sent[i];
        if (!kind(one->at, one->bytes))
            continue;
        if (one->bytes == bytes && one->port == port && memcmp(one->at, at, bytes) == 0)
            return i + 1;
        CHECK(*skip > 0);
        --*skip;
    }
    CHECK(false);
    return 0;
}

/* What was passed on, in order; queue_full says how many may be missing. */
static size_t check_passed(struct bench *bench, size_t from, uint64_t *missing)
{
    uint8_t bytes[2 * SOCKADDR_BYTES + 1300];
    for (;;) {
        ssize_t got = recv(bench->pass[1], bytes, sizeof bytes, 0);
        if (got < 0)
            return from;
        union address source;
        memcpy(source.bytes, bytes, SOCKADDR_BYTES);
        from = match(bench, from, is_control, source.v4.sin_port, bytes + 2 * SOCKADDR_BYTES,
                     (size_t)got - 2 * SOCKADDR_BYTES, missing);
        bench->passed++;
    }
}

/* The runs of one receive: alike inside, in the order of sending. */
static size_t check_runs(struct bench *bench, int runs, size_t from, uint64_t *missing)
{
    for (uint32_t run = 0; run < (uint32_t)runs; run++) {
        const uint8_t *job = job_at(&bench->lab, run);
        struct segments segments;
        union address source;
        CHECK(segments_of(&bench->lab.arena, job, &segments));
        memcpy(source.bytes, job + JOB_SOURCE, SOCKADDR_BYTES);
        for (uint32_t i = 0; i < segments.count; i++) {
            const uint8_t *at = segments.at + (size_t)i * segments.stride;
            size_t bytes = i + 1 == segments.count ? segments.last_bytes : segments.stride;
            CHECK_EQUAL(load32(at), load32(job + JOB_MESSAGE_TYPE));
            CHECK_EQUAL(load32(at + 4), load32(job + JOB_RECEIVER_INDEX));
            from = match(bench, from, is_transport, source.v4.sin_port, at, bytes, missing);
            bench->data++;
        }
    }
    return from;
}

/* Sends a few messages, receives them all, and balances the counts. */
static void round_trip(struct bench *bench, struct chance *chance)
{
    struct lab *lab = &bench->lab;
    uint64_t received = counted(lab, COUNT_RECEIVED_DATAGRAMS);
    uint64_t no_slot = counted(lab, DROP_NO_SLOT), full = counted(lab, DROP_QUEUE_FULL);
    uint64_t shorts = counted(lab, DROP_TOO_SHORT), bad = counted(lab, DROP_BAD_TYPE);
    uint64_t data = bench->data, passed = bench->passed, given = counted(lab, COUNT_PASSED_ON);
    uint64_t too_short = 0, handshakes = 0, transport = 0;
    size_t at_data = 0, at_passed = 0;

    bench->count = 0;
    for (uint64_t left = 1 + chance_below(chance, ROUND_MAX); left > 0; left--)
        send_message(bench, chance);
    for (size_t i = 0; i < bench->count; i++) {
        const struct datagram *one = &bench->sent[i];
        too_short += one->bytes < 32;
        handshakes += is_control(one->at, one->bytes);
        transport += is_transport(one->at, one->bytes);
    }
    uint64_t skipped = 0, skipped_passed = 0;
    while (counted(lab, COUNT_RECEIVED_DATAGRAMS) - received < bench->count) {
        uint64_t before = counted(lab, DROP_NO_SLOT), before_full = counted(lab, DROP_QUEUE_FULL);
        int runs = receive_runs(lab);
        CHECK(runs >= 0 && runs <= (int)OFFERED);
        check_slots(lab);
        skipped += counted(lab, DROP_NO_SLOT) - before;
        skipped_passed += counted(lab, DROP_QUEUE_FULL) - before_full;
        at_data = check_runs(bench, runs, at_data, &skipped);
        at_passed = check_passed(bench, at_passed, &skipped_passed);
    }
    CHECK_EQUAL(counted(lab, COUNT_RECEIVED_DATAGRAMS) - received, bench->count);
    CHECK_EQUAL(counted(lab, DROP_TOO_SHORT) - shorts, too_short);
    CHECK_EQUAL(bench->data - data + counted(lab, DROP_NO_SLOT) - no_slot, transport);
    CHECK_EQUAL(bench->passed - passed + counted(lab, DROP_QUEUE_FULL) - full, handshakes);
    CHECK_EQUAL(counted(lab, COUNT_PASSED_ON) - given, bench->passed - passed);
    CHECK_EQUAL(counted(lab, DROP_BAD_TYPE) - bad,
                bench->count - too_short - handshakes - transport);
}

int main(void)
{
    struct bench *bench = calloc(1, sizeof *bench);
    struct fuzz fuzz;

    CHECK(bench != NULL);
    enter_namespace();
    set_up(&bench->lab);
    open_senders(bench);
    fuzz_begin(&fuzz);
    do {
        round_trip(bench, &fuzz.chance);
        fuzz.rounds |= 31;
    } while (fuzz_goes_on(&fuzz));
    printf("%llu data, %llu passed on, %llu without a slot\n", (unsigned long long)bench->data,
           (unsigned long long)bench->passed,
           (unsigned long long)counted(&bench->lab, DROP_NO_SLOT));
    CHECK(bench->data > 1000 && bench->passed > 50);
    PASSED("data in order, handshakes passed on, the rest counted");
    io_close(bench->lab.io);
    free(bench->lab.arena.base);
    free(bench);
    return 0;
}
