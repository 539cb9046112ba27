/* job.h — a job's slot and segments, checked against the arena before anybody touches them. */
#ifndef P2PVPN_JOB_H
#define P2PVPN_JOB_H

#include "aead.h"
#include "arena.h"

/* Transport data of either suite; WireGuard paper 5.4.6, docs/PROTOCOL.md. */
#define MESSAGE_DATA 4u
#define MESSAGE_DATA_AES 8u

static inline bool is_data_type(uint32_t type)
{
    return type == MESSAGE_DATA || type == MESSAGE_DATA_AES;
}

static inline uint8_t *job_entry(const struct arena *arena, uint32_t job)
{
    return entry(arena, REGION_JOBS, JOB_SIZE, job);
}

static inline uint8_t *slot_of(const struct arena *arena, const uint8_t *job)
{
    return entry(arena, REGION_SLOTS, SLOT_BYTES, load32(job + JOB_SLOT));
}

struct segments {
    uint8_t *at;
    uint32_t count;
    uint32_t stride;
    uint32_t last_bytes;
};

/* Header of segment `i`, and bytes of it and of all, of segments that were checked. */
static inline uint8_t *segment_at(const struct segments *segments, uint32_t i)
{
    return segments->at + (size_t)i * segments->stride;
}

static inline uint32_t segment_bytes(const struct segments *segments, uint32_t i)
{
    return i + 1 == segments->count ? segments->last_bytes : segments->stride;
}

static inline size_t all_bytes(const struct segments *segments)
{
    return (size_t)(segments->count - 1) * segments->stride + segments->last_bytes;
}

/* Segments of a job, checked against the slot; false for a job that cannot be. */
static inline bool segments_of(const struct arena *arena, const uint8_t *job,
                               struct segments *out)
{
    out->at = slot_of(arena, job);
    out->count = load32(job + JOB_COUNT);
    out->stride = load32(job + JOB_SEGMENT_BYTES);
    out->last_bytes = load32(job + JOB_LAST_BYTES);
    return out->at != NULL && out->count >= 1 && out->count <= JOB_SEGMENTS &&
           out->stride >= SEGMENT_OVERHEAD_BYTES && out->stride <= SLOT_BYTES &&
           out->last_bytes >= SEGMENT_OVERHEAD_BYTES && out->last_bytes <= out->stride &&
           all_bytes(out) <= SLOT_BYTES;
}

/* Generation of a session; what is read of its entry after this is of this one or a later one. */
static inline uint32_t session_generation(const uint8_t *session)
{
    return __atomic_load_n((const uint32_t *)(const void *)(session + SESSION_GENERATION),
                           __ATOMIC_ACQUIRE);
}

/*
 * Is the session's entry still the one that the job names? Then so was all that was read of it
 * before: its generation counts up before it is zeroed or filled (security.md 2).
 */
static inline bool is_fresh(const uint8_t *job, const uint8_t *session)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return session_generation(session) == load32(job + JOB_SESSION_GENERATION);
}

/* The job's segments under its session's key; false when the job cannot be, or is stale. */
static inline bool job_batch(const struct arena *arena, const uint8_t *job, bool seal,
                             struct aead_batch *batch)
{
    struct segments segments;
    if (job == NULL || !segments_of(arena, job, &segments))
        return false;
    uint8_t *session = entry(arena, REGION_SESSIONS, SESSION_SIZE, load32(job + JOB_SESSION));
    if (session == NULL || !is_fresh(job, session))
        return false;
    *batch = (struct aead_batch){
        .suite = load32(job + JOB_SUITE),
        .key = session + (seal ? SESSION_SEND_KEY : SESSION_RECEIVE_KEY),
        .segments = segments.at, .count = segments.count, .stride = segments.stride,
        .last_bytes = segments.last_bytes,
    };
    return true;
}

#endif
