/* sources: PACKET_PATH NETLINK */
/*
 * io_move_test.c — a peer is where its newest datagram came from: one that is late, with a counter
 * below the greatest of its session, is authentic and moves nobody.
 */
#define _GNU_SOURCE
#include "six_lab.h"

/* A peer that has moved: from `old` to `new`. Counters are told from `base` on. */
struct trip {
    struct lab *lab;
    const char *to;
    uint16_t port;
    struct far *old, *new;
    uint64_t base;
};

/* Control knows it at `at`, and may be told of another place at once. */
static void begin_at(struct trip *trip, const struct far *at)
{
    set_way(trip->lab, &at->self, trip->to);
    store_f64(peer_at(trip->lab) + PEER_ROAMED_AT_MS, 0);
    trip->base = load64(session_at(trip->lab, 1) + SESSION_LAST_COUNTER);
}

static void say_counter(const struct trip *trip, const struct far *from, uint64_t counter)
{
    uint8_t datagram[32];
    make_keepalive(datagram, trip->base + counter);
    say(from, trip->to, trip->port, 0, datagram, sizeof datagram);
}

/* What came next is one run, of which io_accept() says this. */
static void check_next(const struct trip *trip, int expected)
{
    CHECK_EQUAL(receive_runs(trip->lab), 1);
    CHECK_EQUAL(io_accept(trip->lab->io, 0), expected);
}

/* Answers go to `at` and nowhere else. */
static void check_at(const struct trip *trip, struct far *at)
{
    struct far *other = at == trip->old ? trip->new : trip->old;
    check_source(trip->lab, at, trip->to);
    CHECK_EQUAL(recv(other->fd, other->bytes, sizeof other->bytes, MSG_DONTWAIT), -1);
}

#define STAYS ACCEPT_AUTHENTIC
#define MOVES (ACCEPT_AUTHENTIC | ACCEPT_ROAMED)

/* What was on its way comes after what was sent from the new place. */
static void test_late(struct trip *trip)
{
    begin_at(trip, trip->old);
    say_counter(trip, trip->old, 0);
    check_next(trip, STAYS);
    say_counter(trip, trip->new, 2);
    check_next(trip, MOVES);
    check_at(trip, trip->new);
    say_counter(trip, trip->old, 1);
    check_next(trip, STAYS);
    check_at(trip, trip->new);
    /* The same where control has written the new place meanwhile. */
    begin_at(trip, trip->new);
    say_counter(trip, trip->new, 1);
    check_next(trip, STAYS);
    say_counter(trip, trip->old, 0);
    check_next(trip, STAYS);
    check_at(trip, trip->new);
    /* What is newer from there moves it back. */
    say_counter(trip, trip->old, 2);
    check_next(trip, MOVES);
    check_at(trip, trip->old);
}

/* A late one from a place where the peer never was, as somebody may bring it who held it back. */
static void test_held_back(struct trip *trip)
{
    begin_at(trip, trip->old);
    say_counter(trip, trip->old, 1);
    check_next(trip, STAYS);
    say_counter(trip, trip->new, 0);
    check_next(trip, STAYS);
    check_at(trip, trip->old);
    /* The newest, brought by somebody else after it came itself, is no new one. */
    say_counter(trip, trip->new, 1);
    check_next(trip, 0);
    check_at(trip, trip->old);
}

struct said {
    bool moved; /* from the new place */
    uint64_t counter;
};

/* All are in the socket before any is read; runs in order, what io_accept() says of each. */
static void check_batch(struct trip *trip, const struct said *said, size_t count,
                        const int *expected, int runs)
{
    for (size_t i = 0; i < count; i++)
        say_counter(trip, said[i].moved ? trip->new : trip->old, said[i].counter);
    CHECK_EQUAL(receive_runs(trip->lab), runs);
    for (int i = 0; i < runs; i++)
        CHECK_EQUAL(io_accept(trip->lab->io, (uint32_t)i), expected[i]);
}

/* Late and new ones in one receive, and in one run. */
static void test_batches(struct trip *trip)
{
    const struct said turns[] = { { false, 0 }, { true, 2 }, { false, 1 }, { true, 4 },
                                  { false, 3 } };
    const struct said mixed[] = { { false, 5 }, { true, 7 }, { true, 6 }, { false, 3 },
                                  { false, 4 } };
    const struct said old_first[] = { { false, 3 }, { true, 1 }, { true, 2 }, { false, 0 } };
    const struct said newest_last[] = { { false, 2 }, { true, 0 }, { true, 1 }, { true, 3 } };

    begin_at(trip, trip->old);
    check_batch(trip, turns, 5, (const int[]){ STAYS, MOVES, STAYS, MOVES, STAYS }, 5);
    check_at(trip, trip->new);
    begin_at(trip, trip->old);
    check_batch(trip, mixed, 5, (const int[]){ STAYS, MOVES, STAYS }, 3);
    check_at(trip, trip->new);
    begin_at(trip, trip->old);
    check_batch(trip, old_first, 4, (const int[]){ STAYS, STAYS, STAYS }, 3);
    check_at(trip, trip->old);
    begin_at(trip, trip->old);
    check_batch(trip, newest_last, 4, (const int[]){ STAYS, MOVES }, 2);
    check_at(trip, trip->new);
}

/* What did not open makes nothing newer, whatever counter it names. */
static void test_forged(struct trip *trip)
{
    begin_at(trip, trip->old);
    say_counter(trip, trip->old, 1);
    check_next(trip, STAYS);
    /* In one run: a late one, and a forged one that says to be newer. */
    say_counter(trip, trip->new, 0);
    say_counter(trip, trip->new, 9);
    CHECK_EQUAL(receive_runs(trip->lab), 1);
    CHECK_EQUAL(load32(job_at(trip->lab, 0) + JOB_COUNT), 2);
    store32(job_at(trip->lab, 0) + JOB_FAILED_LOW, 2);
    CHECK_EQUAL(io_accept(trip->lab->io, 0), STAYS);
    check_at(trip, trip->old);
    say_counter(trip, trip->new, 2);
    check_next(trip, MOVES);
    check_at(trip, trip->new);
}

static void test_all(struct lab *lab, uint16_t port, const char *host, const char *other)
{
    static struct far old, new;
    struct trip trip = { .lab = lab, .to = host, .port = port, .old = &old, .new = &new };

    open_far(&old, host);
    open_far(&new, other);
    test_late(&trip);
    PASSED("what was on its way moves nobody back");
    test_held_back(&trip);
    PASSED("what was held back moves nobody");
    test_batches(&trip);
    PASSED("late and new ones at once");
    test_forged(&trip);
    PASSED("what is forged makes nothing newer");
    close(old.fd);
    close(new.fd);
}

int main(void)
{
    static struct lab lab;
    uint16_t six;

    enter_namespace();
    set_up(&lab);
    uint16_t port = replace_socket(&lab, lab.udp, AF_INET, 0);
    /* Runs are made here of what comes one by one. */
    test_all(&lab, port, "127.0.0.1", "127.0.0.2");
    if (open_six(&lab, &six)) {
        test_all(&lab, six, "fd77::1", "fd77::2");
        PASSED("the same over IPv6");
    } else {
        printf("the kernel has no IPv6; its cases are left out\n");
    }
    io_close(lab.io);
    free(lab.arena.base);
    return 0;
}
