/*
 * io_lone.c — the short way of a packet that comes alone; see io.h.
 *
 *   read ─ look up ─ nonce ─ seal ─ send        receive ─ look up ─ open ─ check ─ write
 *
 * On a quiet tunnel most of a round trip is code that has gone cold between two packets. Here one
 * call does what otherwise takes a dozen, each a way through V8, and waits for the next packet. It
 * has no rules: what was found of the packet (io_find.c) is exactly PLAIN, or io/send.ts and
 * io/receive.ts go on with it. AES-256-GCM alone; ChaCha20-Poly1305 is sodium-native's.
 */
#define _GNU_SOURCE
#include "io_state.h"

/* Turns without TypeScript, which has to look around now and then. */
#define LONE_TURNS 16

/* The job's segments under the key of the session that it names, sealed or opened. False: stale. */
static bool work(struct io *io, struct aead *aead, const uint8_t *job, bool seal,
                 uint64_t *failed)
{
    struct aead_batch batch;

    if (!job_batch(io->arena, job, seal, &batch) ||
        (seal ? aead_seal(aead, &batch) : aead_open_batch(aead, &batch, failed)) < 0 ||
        !is_fresh(job, entry(io->arena, REGION_SESSIONS, SESSION_SIZE, load32(job + JOB_SESSION))))
    {
        count(io->counters, DROP_STALE_JOB, 1);
        return false;
    }
    count(io->counters, COUNT_JOBS_INLINE, 1);
    return true;
}

/* Sends the run that was read into the job. False: nothing was done to it. */
static bool send_lone(struct io *io, struct aead *aead, uint32_t job_index)
{
    const uint8_t *job = job_entry(io->arena, job_index);

    if (load32(job + JOB_FOUND) != PLAIN_OUTBOUND ||
        io_prepare(io->arena, job_index, turn_ms(io)) < 0)
        return false;
    /* Its nonce is used up whatever comes: a run that is not sealed is never sent. */
    if (work(io, aead, job, true, NULL)) {
        (void)io_send_add(io, job_index);
        (void)io_send_flush(io);
    }
    return true;
}

/* Takes the run that was received into the job. False: nothing was done to it. */
static bool take_lone(struct io *io, struct aead *aead, uint32_t job_index)
{
    uint8_t *job = job_entry(io->arena, job_index);
    uint64_t failed = UINT64_MAX;

    if (load32(job + JOB_FOUND) != PLAIN_INBOUND)
        return false;
    if (work(io, aead, job, false, &failed)) {
        store32(job + JOB_FAILED_LOW, (uint32_t)failed);
        store32(job + JOB_FAILED_HIGH, (uint32_t)(failed >> 32));
        if ((io_accept(io, job_index) & ACCEPT_PACKETS) > 0)
            (void)io_tun_write(io, job_index);
    }
    return true;
}

int io_lone(struct io *io, struct aead *aead, uint32_t job, uint32_t offered, int ready)
{
    if (offered == 0 || (ready & READY_WAKE) != 0)
        return ready;
    if (ready & READY_TUN) {
        int read = io_tun_read(io, job);
        if (read < 0)
            return ready;
        /* With more behind it, it is not alone. */
        bool alone = read == (1 | TUN_DRAINED);
        if (read == 0 || (read & TUN_DRAINED))
            ready &= ~READY_TUN;
        if (read > 0 && (!alone || !send_lone(io, aead, job)))
            return ready | read << LONE_READ_SHIFT;
    }
    if (ready & READY_UDP) {
        int received = io_receive(io, job, offered);
        if (received < 0)
            return ready;
        int runs = received & RECEIVE_RUNS;
        if (runs > 1 || (runs == 1 && !take_lone(io, aead, job)))
            return ready | runs << LONE_RUNS_SHIFT;
        if (io->ready == 0)
            ready &= ~READY_UDP;
    }
    return ready;
}

int io_wait(struct io *io, struct aead *aead, uint32_t job, uint32_t offered, int timeout_ms)
{
    int left = 0;

    for (int turn = 0; turn < LONE_TURNS && left == 0; turn++) {
        int ready = io_poll(io, timeout_ms);
        if (ready <= 0)
            return ready;
        left = io_lone(io, aead, job, offered, ready);
    }
    return left;
}
