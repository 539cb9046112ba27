/*
 * aead.h — AEAD over a batch of segments, by the OpenSSL inside the node binary.
 *
 * The functions are found with dlsym, so that the addon builds without OpenSSL's headers and runs
 * with whatever version node carries. One struct aead belongs to one thread.
 */
#ifndef P2PVPN_AEAD_H
#define P2PVPN_AEAD_H

#include <stdbool.h>
#include <stdint.h>

struct aead;

/* Finds the functions and makes this thread's contexts; NULL when node has no OpenSSL. */
struct aead *aead_open(void);
void aead_close(struct aead *aead);

/* OpenSSL's version text, or "" for NULL. */
const char *aead_version(const struct aead *aead);

/* AES-NI and PCLMULQDQ (x86-64), AES and PMULL (aarch64). */
bool aead_hardware(void);

struct aead_batch {
    uint32_t suite;       /* SUITE_* */
    const uint8_t *key;   /* 32 bytes */
    uint8_t *segments;    /* first segment: [header][payload][tag] */
    uint32_t count;
    uint32_t stride;      /* bytes of a segment */
    uint32_t last_bytes;  /* bytes of the last one */
};

/*
 * Seals in place: nonces from the headers' counters, tags behind the payloads. 0 or -EIO; after
 * -EIO the slot must not be sent.
 */
int aead_seal(struct aead *aead, const struct aead_batch *batch);

/* Opens in place. Bits of `failed` name segments whose tag did not verify. 0 or -EIO. */
int aead_open_batch(struct aead *aead, const struct aead_batch *batch, uint64_t *failed);

#endif
