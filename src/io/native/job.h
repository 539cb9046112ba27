/* job.h — a job's slot and segments, checked against the arena before anybody touches them. */
#ifndef P2PVPN_JOB_H
#define P2PVPN_JOB_H

#include "arena.h"

static inline uint8_t *job_entry(const struct arena *arena, uint32_t job)
{
    return entry(arena, REGION_JOBS, JOB_SIZE, job);
}

static inline uint8_t *slot_of(const struct arena *arena, const uint8_t *job)
{
    return entry(arena, REGION_SLOTS, SLOT_BYTES, load32(job + JOB_SLOT));
}

/* Segments of a job, checked against the slot; false for a job that cannot be. */
struct segments {
    uint8_t *at;
    uint32_t count;
    uint32_t stride;
    uint32_t last_bytes;
};

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
           (size_t)(out->count - 1) * out->stride + out->last_bytes <= SLOT_BYTES;
}

/* Header of segment `i`, and its bytes, of segments that were checked. */
static inline uint8_t *segment_at(const struct segments *segments, uint32_t i)
{
    return segments->at + (size_t)i * segments->stride;
}

static inline uint32_t segment_bytes(const struct segments *segments, uint32_t i)
{
    return i + 1 == segments->count ? segments->last_bytes : segments->stride;
}

#endif
