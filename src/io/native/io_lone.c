/*
 * io_lone.c — the short way of a packet that comes alone; see io.h.
 *
 *   read ─ route ─ nonce ─ seal ─ send          receive ─ session ─ open ─ window ─ route ─ write
 *
 * On a quiet tunnel most of a round trip is code that has gone cold between two packets. Here one
 * call does what otherwise takes a dozen, each a way through V8, and waits for the next packet. It
 * does nothing that TypeScript would do otherwise: what is not plain — no session, another address,
 * the first packet of a session, a stranger — it leaves where io/send.ts and io/receive.ts find it.
 * AES-256-GCM alone; ChaCha20-Poly1305 is sodium-native's.
 */
#define _GNU_SOURCE
#include "io_state.h"
#include "routes.h"

/* Turns without TypeScript, which has to look around now and then. */
#define LONE_TURNS 16
#define INDEX_BITS_MASK ((UINT32_C(1) << INDEX_BITS) - 1)

/* The session may be used now, and is AES. */
static bool usable(const struct io *io, const uint8_t *session)
{
    return load32(session + SESSION_SUITE) == SUITE_AES256GCM &&
           turn_ms(io) < load_f64(session + SESSION_REJECT_AT_MS);
}

/* A session as it was when it was looked at. */
struct named {
    uint8_t *at;
    uint32_t number;
    uint32_t generation;
};

/* The session that the word at `which` names, before anything else is read of it; or none. */
static struct named look_at(const struct io *io, const uint8_t *which)
{
    struct named named = { 0 };
    uint32_t word = __atomic_load_n((const uint32_t *)(const void *)which, __ATOMIC_SEQ_CST);

    named.number = word - 1;
    if (word != 0)
        named.at = entry(io->arena, REGION_SESSIONS, SESSION_SIZE, named.number);
    if (named.at != NULL)
        named.generation = session_generation(named.at);
    return named;
}

static void name_session(uint8_t *job, uint32_t kind, const struct named *session)
{
    store32(job + JOB_KIND, kind);
    store32(job + JOB_SESSION, session->number);
    store32(job + JOB_SESSION_GENERATION, session->generation);
    store32(job + JOB_SUITE, SUITE_AES256GCM);
    store32(job + JOB_PEER, load32(session->at + SESSION_PEER));
}

/* Sends the run that was read into the job. False: nothing was done to it. */
static bool send_lone(struct io *io, struct aead *aead, uint32_t job_index)
{
    uint8_t *job = job_entry(io->arena, job_index);
    struct segments segments;
    struct aead_batch batch;
    uint32_t address[4];

    if (job == NULL || !segments_of(io->arena, job, &segments))
        return false;
    memcpy(address, job + JOB_INNER_ADDRESS, sizeof address);
    int64_t found = route_find(io->arena, load32(job + JOB_INNER_VERSION), address);
    uint8_t *peer = found < 0 ? NULL : entry(io->arena, REGION_PEERS, PEER_SIZE, (size_t)found);
    if (peer == NULL || load32(job + JOB_SYN) != 0 ||
        segments.last_bytes - SEGMENT_OVERHEAD_BYTES > io_peer_mtu(io, (uint32_t)found))
        return false;
    struct named session = look_at(io, peer + PEER_CURRENT);
    if (session.at == NULL || !usable(io, session.at))
        return false;
    name_session(job, KIND_SEAL, &session);
    store32(job + JOB_MESSAGE_TYPE, MESSAGE_DATA_AES);
    store32(job + JOB_RECEIVER_INDEX, load32(session.at + SESSION_REMOTE_INDEX));
    if (io_prepare(io->arena, job_index, turn_ms(io)) < 0)
        return false;
    /* Its nonce is used up whatever comes: a run that is not sealed is never sent. */
    if (!job_batch(io->arena, job, true, &batch) || aead_seal(aead, &batch) < 0 ||
        !is_fresh(job, session.at)) {
        count(io->counters, DROP_STALE_JOB, 1);
        return true;
    }
    count(io->counters, COUNT_JOBS_INLINE, 1);
    (void)io_send_add(io, job_index);
    (void)io_send_flush(io);
    return true;
}

/* The session that a received run names, if it is one that the short way may take. False: none. */
static bool session_of(const struct io *io, const uint8_t *job, struct named *out)
{
    uint32_t index = load32(job + JOB_RECEIVER_INDEX);
    const uint8_t *slot = entry(io->arena, REGION_INDEX_TABLE, 4, index & INDEX_BITS_MASK);
    if (slot == NULL || load32(job + JOB_COUNT) != 1 ||
        load32(job + JOB_MESSAGE_TYPE) != MESSAGE_DATA_AES)
        return false;
    *out = look_at(io, slot);
    const uint8_t *session = out->at;
    if (session == NULL || load32(session + SESSION_LOCAL_INDEX) != index ||
        load32(session + SESSION_OWNER) != io->thread ||
        load32(session + SESSION_CONFIRMED) == 0 || !usable(io, session))
        return false;
    const uint8_t *peer =
        entry(io->arena, REGION_PEERS, PEER_SIZE, load32(session + SESSION_PEER));
    return peer != NULL && came_as_named(job, peer);
}

/* Writes the packet if its source leads to the peer that sent it. */
static void write_lone(struct io *io, uint32_t job_index, const uint8_t *job)
{
    const uint8_t *source =
        entry(io->arena, REGION_SOURCES, SOURCE_SIZE, (size_t)io->thread * JOB_SEGMENTS);
    uint32_t address[4];

    if (source == NULL)
        return;
    memcpy(address, source + SOURCE_ADDRESS, sizeof address);
    int64_t owner = route_find(io->arena, load32(source + SOURCE_VERSION), address);
    if (owner == (int64_t)load32(job + JOB_PEER))
        (void)io_tun_write(io, job_index, 1);
    else
        count(io->counters, DROP_INNER_SOURCE, 1);
}

/* Takes the run that was received into the job. False: nothing was done to it. */
static bool take_lone(struct io *io, struct aead *aead, uint32_t job_index)
{
    uint8_t *job = job_entry(io->arena, job_index);
    struct aead_batch batch;
    uint64_t failed = UINT64_MAX;
    struct named session;

    if (job == NULL || !session_of(io, job, &session))
        return false;
    name_session(job, KIND_OPEN, &session);
    if (!job_batch(io->arena, job, false, &batch) ||
        aead_open_batch(aead, &batch, &failed) < 0 || !is_fresh(job, session.at)) {
        count(io->counters, DROP_STALE_JOB, 1);
        return true;
    }
    store32(job + JOB_FAILED_LOW, (uint32_t)failed);
    store32(job + JOB_FAILED_HIGH, (uint32_t)(failed >> 32));
    count(io->counters, COUNT_JOBS_INLINE, 1);
    if ((io_accept(io, job_index) & ACCEPT_SOURCES) > 0)
        write_lone(io, job_index, job);
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
