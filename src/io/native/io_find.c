/*
 * io_find.c — what is known of a run when its way is to be chosen; see io.h.
 *
 *     outbound:  inner destination -> next hop -> peer -> its way, its current session
 *     inbound:   receiver index -> session -> peer
 *
 * Looked up once, when the run was read or received, for the long way (io/send.ts, io/receive.ts)
 * and for the short one (io_lone.c). Names go into the job; FOUND_ bits (src/memory/numbers.ts) say
 * what is so, never what is to be done.
 */
#define _GNU_SOURCE
#include "io_state.h"
#include "routes.h"

/* The session that the word at `which` names goes into the job. Its entry, or NULL; adds bits. */
static const uint8_t *name_session(const struct io *io, uint8_t *job, const uint8_t *which,
                                   uint32_t *found)
{
    uint32_t word = __atomic_load_n((const uint32_t *)(const void *)which, __ATOMIC_SEQ_CST);
    const uint8_t *session =
        word == 0 ? NULL : entry(io->arena, REGION_SESSIONS, SESSION_SIZE, word - 1);

    if (session == NULL)
        return NULL;
    /* Before anything else is read of it: by this, is_fresh() tells whether all was of one. */
    store32(job + JOB_SESSION_GENERATION, session_generation(session));
    store32(job + JOB_SESSION, word - 1);
    store32(job + JOB_SUITE, load32(session + SESSION_SUITE));
    *found |= FOUND_SESSION;
    if (turn_ms(io) < load_f64(session + SESSION_REJECT_AT_MS))
        *found |= FOUND_ALIVE;
    if (load32(session + SESSION_SUITE) == SUITE_AES256GCM)
        *found |= FOUND_AES;
    return session;
}

/* The current session of the job's peer, and what its headers say. */
static uint32_t find_current(const struct io *io, uint8_t *job, const uint8_t *peer)
{
    uint32_t found = 0;
    const uint8_t *session = name_session(io, job, peer + PEER_CURRENT, &found);

    if (session != NULL) {
        store32(job + JOB_MESSAGE_TYPE, data_type(load32(job + JOB_SUITE)));
        store32(job + JOB_RECEIVER_INDEX, load32(session + SESSION_REMOTE_INDEX));
    }
    return found;
}

void io_find_outbound(const struct io *io, uint8_t *job)
{
    int64_t hop = route_find(io->arena, load32(job + JOB_INNER_VERSION), job + JOB_INNER_ADDRESS);
    int64_t to = hop_active(io->arena, hop);
    const uint8_t *peer = to < 0 ? NULL : entry(io->arena, REGION_PEERS, PEER_SIZE, (size_t)to);
    uint32_t found = load32(job + JOB_SYN) != 0 ? FOUND_SYN : 0;

    if (peer != NULL) {
        store32(job + JOB_PEER, (uint32_t)to);
        found |= FOUND_PEER | find_current(io, job, peer);
        /* No segment is longer than the first. */
        if (load32(job + JOB_SEGMENT_BYTES) <=
            io_peer_mtu(io, (uint32_t)to) + SEGMENT_OVERHEAD_BYTES)
            found |= FOUND_FITS;
    } else if (hop >= 0) {
        found |= FOUND_NOBODY;
    }
    store32(job + JOB_FOUND, found);
}

void io_find_inbound(const struct io *io, uint8_t *job)
{
    uint32_t index = load32(job + JOB_RECEIVER_INDEX), found = 0;
    const uint8_t *which = entry(io->arena, REGION_RECEIVER_INDICES, 4, index & RANDOM_MASK);
    const uint8_t *session = which == NULL ? NULL : name_session(io, job, which, &found);

    store32(job + JOB_FOUND, 0);
    /* All of the receiver index decides, not its random bits alone. */
    if (session == NULL || load32(session + SESSION_LOCAL_INDEX) != index)
        return;
    store32(job + JOB_PEER, load32(session + SESSION_PEER));
    if (load32(job + JOB_MESSAGE_TYPE) == data_type(load32(job + JOB_SUITE)))
        found |= FOUND_SUITE;
    if (load32(session + SESSION_OWNER) == io->thread)
        found |= FOUND_OWNER;
    if (load32(session + SESSION_CONFIRMED) != 0)
        found |= FOUND_CONFIRMED;
    const uint8_t *peer = entry(io->arena, REGION_PEERS, PEER_SIZE, load32(job + JOB_PEER));
    if (load32(job + JOB_COUNT) == 1 && peer != NULL && came_as_named(job, peer))
        found |= FOUND_NAMED;
    store32(job + JOB_FOUND, found);
}

int io_find(struct io *io, uint32_t job_index)
{
    uint8_t *job = job_entry(io->arena, job_index);

    if (job == NULL)
        return 0;
    io_find_outbound(io, job);
    return (int)load32(job + JOB_FOUND);
}

int io_find_session(struct io *io, uint32_t job_index)
{
    uint8_t *job = job_entry(io->arena, job_index);
    const uint8_t *peer =
        job == NULL ? NULL : entry(io->arena, REGION_PEERS, PEER_SIZE, load32(job + JOB_PEER));

    return peer == NULL ? 0 : (int)find_current(io, job, peer);
}
