/*
 * addon.h — what the addon*.c files share: this thread's instance and argument helpers.
 *
 * Only files named addon*.c include node_api.h. Each registers its calls with a register_*()
 * function that addon.c calls. Nothing here is static: one binary serves many threads.
 */
#ifndef P2PVPN_ADDON_H
#define P2PVPN_ADDON_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "udp.h"

/* One per thread that loaded the addon; napi_set_instance_data. */
struct instance {
    struct arena arena;   /* zero until attach() */
    napi_ref arena_ref;   /* keeps the SharedArrayBuffer alive */
    struct aead *aead;    /* OpenSSL functions and this thread's cipher contexts */
};

struct instance *instance_of(napi_env env);

/* A row of a registration table. */
struct call {
    const char *name;
    napi_callback function;
};

void register_calls(napi_env env, napi_value exports, const struct call *calls, size_t count);

void register_net(napi_env env, napi_value exports);   /* addon_net.c: links, routes, notify */
void register_names(napi_env env, napi_value exports); /* addon_names.c */
void register_neighbour(napi_env env, napi_value exports); /* addon_neighbour.c */
void register_udp(napi_env env, napi_value exports);   /* addon_udp.c: sockets, datagrams */
void register_io(napi_env env, napi_value exports);    /* addon_io.c: the packet path */
void register_aead(napi_env env, napi_value exports);  /* addon_aead.c: seal, open, BLAKE2s */
void register_process(napi_env env, napi_value exports); /* addon_process.c: privileges */
void register_watch(napi_env env, napi_value exports); /* addon_watch.c: event loop, eventfd */

/*
 * Argument helpers. Each returns false after throwing a TypeError that names the argument; the
 * caller then returns NULL. `args` is what get_args() filled.
 */
#define ARGS_MAX 8
bool get_args(napi_env env, napi_callback_info info, size_t want, napi_value args[ARGS_MAX]);
bool get_u32(napi_env env, napi_value value, const char *name, uint32_t *out);
bool get_i32(napi_env env, napi_value value, const char *name, int32_t *out);
bool get_bool(napi_env env, napi_value value, const char *name, bool *out);
/* Copies a string with its terminator; an overlong one is a TypeError. */
bool get_text(napi_env env, napi_value value, const char *name, char *out, size_t room);
/* Bytes of a Uint8Array (also over a SharedArrayBuffer); no copy. */
/* A sockaddr of SOCKADDR_BYTES, or an empty array for none; addon_udp.c. */
bool get_address(napi_env env, napi_value value, const char *name, union address *out);
bool get_bytes(napi_env env, napi_value value, const char *name, uint8_t **bytes, size_t *length);

napi_value make_i32(napi_env env, int32_t value);
napi_value make_f64(napi_env env, double value);
napi_value make_text(napi_env env, const char *text);

#endif
