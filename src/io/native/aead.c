/* aead.c — see aead.h. Source: EVP_EncryptInit(3); nonces: WireGuard paper 5.4.6, RFC 5116. */
#define _GNU_SOURCE
#include "aead.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "layout.gen.h"

#define SUITES 2u
/* From openssl/evp.h: EVP_CTRL_AEAD_SET_IVLEN, _GET_TAG, _SET_TAG. */
#define CTRL_GET_TAG 0x10
#define CTRL_SET_TAG 0x11

typedef struct evp_cipher_ctx_st EVP_CIPHER_CTX;
typedef struct evp_cipher_st EVP_CIPHER;
typedef struct engine_st OSSL_ENGINE;

typedef int init_function(EVP_CIPHER_CTX *, const EVP_CIPHER *, OSSL_ENGINE *,
                          const unsigned char *, const unsigned char *);
typedef int update_function(EVP_CIPHER_CTX *, unsigned char *, int *, const unsigned char *, int);
typedef int final_function(EVP_CIPHER_CTX *, unsigned char *, int *);

/* A context keeps its key from batch to batch, so that a busy session expands it once. */
struct keyed {
    EVP_CIPHER_CTX *context;
    uint8_t key[AEAD_KEY_BYTES];
    bool ready;
};

struct aead {
    EVP_CIPHER_CTX *(*new_context)(void);
    void (*free_context)(EVP_CIPHER_CTX *);
    int (*control)(EVP_CIPHER_CTX *, int, int, void *);
    init_function *encrypt_init, *decrypt_init;
    update_function *encrypt_update, *decrypt_update;
    final_function *encrypt_final, *decrypt_final;
    const EVP_CIPHER *cipher[SUITES];
    const char *version;
    struct keyed seal[SUITES];
    struct keyed open[SUITES];
};

/* dlsym gives an object pointer; POSIX says that it may be used as a function's. */
static bool find(const char *name, void *function, size_t bytes)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    if (symbol == NULL)
        return false;
    memcpy(function, &symbol, bytes);
    return true;
}

#define FIND(name, field) find(name, &(field), sizeof(field))

static bool find_all(struct aead *aead)
{
    const EVP_CIPHER *(*chacha)(void);
    const EVP_CIPHER *(*aes)(void);
    const char *(*version)(int);

    bool found = FIND("EVP_CIPHER_CTX_new", aead->new_context) &&
                 FIND("EVP_CIPHER_CTX_free", aead->free_context) &&
                 FIND("EVP_CIPHER_CTX_ctrl", aead->control) &&
                 FIND("EVP_EncryptInit_ex", aead->encrypt_init) &&
                 FIND("EVP_DecryptInit_ex", aead->decrypt_init) &&
                 FIND("EVP_EncryptUpdate", aead->encrypt_update) &&
                 FIND("EVP_DecryptUpdate", aead->decrypt_update) &&
                 FIND("EVP_EncryptFinal_ex", aead->encrypt_final) &&
                 FIND("EVP_DecryptFinal_ex", aead->decrypt_final) &&
                 FIND("EVP_chacha20_poly1305", chacha) && FIND("EVP_aes_256_gcm", aes) &&
                 FIND("OpenSSL_version", version);
    if (!found)
        return false;
    aead->cipher[SUITE_CHACHA20POLY1305] = chacha();
    aead->cipher[SUITE_AES256GCM] = aes();
    aead->version = version(0);
    return true;
}

struct aead *aead_open(void)
{
    struct aead *aead = calloc(1, sizeof *aead);
    if (aead == NULL)
        return NULL;
    bool good = find_all(aead);
    for (size_t i = 0; good && i < SUITES; i++) {
        aead->seal[i].context = aead->new_context();
        aead->open[i].context = aead->new_context();
        good = aead->seal[i].context != NULL && aead->open[i].context != NULL;
    }
    if (!good) {
        aead_close(aead);
        return NULL;
    }
    return aead;
}

void aead_close(struct aead *aead)
{
    if (aead == NULL)
        return;
    for (size_t i = 0; i < SUITES && aead->free_context != NULL; i++) {
        aead->free_context(aead->seal[i].context);
        aead->free_context(aead->open[i].context);
    }
    explicit_bzero(aead, sizeof *aead);
    free(aead);
}

const char *aead_version(const struct aead *aead)
{
    return aead == NULL || aead->version == NULL ? "" : aead->version;
}

bool aead_hardware(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
    unsigned long caps = getauxval(AT_HWCAP);
    return (caps & HWCAP_AES) != 0 && (caps & HWCAP_PMULL) != 0;
#else
    return false;
#endif
}

/* Loads the key unless the context has it already. */
static bool use_key(struct aead *aead, struct keyed *keyed, init_function *init,
                    const struct aead_batch *batch)
{
    if (keyed->ready && memcmp(keyed->key, batch->key, AEAD_KEY_BYTES) == 0)
        return true;
    keyed->ready = init(keyed->context, aead->cipher[batch->suite], NULL, batch->key, NULL) == 1;
    memcpy(keyed->key, batch->key, AEAD_KEY_BYTES);
    return keyed->ready;
}

/* Four zero bytes, then the counter: little-endian for ChaCha20, big-endian for AES. */
static void make_nonce(uint32_t suite, const uint8_t *header, uint8_t nonce[AEAD_NONCE_BYTES])
{
    memset(nonce, 0, 4);
    if (suite == SUITE_CHACHA20POLY1305) {
        memcpy(nonce + 4, header + 8, 8);
        return;
    }
    for (size_t i = 0; i < 8; i++)
        nonce[4 + i] = header[15 - i];
}

static bool valid(const struct aead *aead, const struct aead_batch *batch)
{
    return aead != NULL && batch->suite < SUITES && batch->count >= 1 &&
           batch->count <= JOB_SEGMENTS && batch->stride >= SEGMENT_OVERHEAD_BYTES &&
           batch->last_bytes >= SEGMENT_OVERHEAD_BYTES && batch->last_bytes <= batch->stride;
}

int aead_seal(struct aead *aead, const struct aead_batch *batch)
{
    if (!valid(aead, batch))
        return -EINVAL;
    struct keyed *keyed = &aead->seal[batch->suite];
    if (!use_key(aead, keyed, aead->encrypt_init, batch))
        return -EIO;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint8_t *header = batch->segments + (size_t)i * batch->stride;
        uint32_t bytes = i + 1 == batch->count ? batch->last_bytes : batch->stride;
        uint8_t *payload = header + DATA_HEADER_BYTES;
        int payload_bytes = (int)(bytes - SEGMENT_OVERHEAD_BYTES);
        uint8_t nonce[AEAD_NONCE_BYTES];
        int done = 0;

        make_nonce(batch->suite, header, nonce);
        if (aead->encrypt_init(keyed->context, NULL, NULL, NULL, nonce) != 1 ||
            aead->encrypt_update(keyed->context, payload, &done, payload, payload_bytes) != 1 ||
            done != payload_bytes ||
            aead->encrypt_final(keyed->context, payload + payload_bytes, &done) != 1 ||
            aead->control(keyed->context, CTRL_GET_TAG, TAG_BYTES, payload + payload_bytes) != 1)
            return -EIO;
    }
    return 0;
}

int aead_open_batch(struct aead *aead, const struct aead_batch *batch, uint64_t *failed)
{
    *failed = UINT64_MAX;
    if (!valid(aead, batch))
        return -EINVAL;
    struct keyed *keyed = &aead->open[batch->suite];
    if (!use_key(aead, keyed, aead->decrypt_init, batch))
        return -EIO;
    *failed = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint8_t *header = batch->segments + (size_t)i * batch->stride;
        uint32_t bytes = i + 1 == batch->count ? batch->last_bytes : batch->stride;
        uint8_t *payload = header + DATA_HEADER_BYTES;
        int payload_bytes = (int)(bytes - SEGMENT_OVERHEAD_BYTES);
        uint8_t nonce[AEAD_NONCE_BYTES];
        int done = 0;

        make_nonce(batch->suite, header, nonce);
        bool good =
            aead->decrypt_init(keyed->context, NULL, NULL, NULL, nonce) == 1 &&
            aead->control(keyed->context, CTRL_SET_TAG, TAG_BYTES, payload + payload_bytes) == 1 &&
            aead->decrypt_update(keyed->context, payload, &done, payload, payload_bytes) == 1 &&
            aead->decrypt_final(keyed->context, payload + payload_bytes, &done) == 1;
        if (!good)
            *failed |= UINT64_C(1) << i;
    }
    return 0;
}
