/*
 * addon.c — one instance per thread, argument helpers, and the calls that concern the process.
 *
 * Loading fills `exports` from the register_*() functions. All state hangs on the instance, which
 * the thread's end gives back; the finalizer runs after the watches are closed (addon_watch.c).
 */
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#include "addon.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "addon_throw.h"
#include "aead.h"
#include "memory.h"

/* Longest text of an errno and of a TypeError. */
#define TEXT_BYTES 128

/* The node binary's libuv; declared here, since uv.h is no part of Node-API's headers. */
const char *uv_err_name(int error);

// --- Instance and registration

struct instance *instance_of(napi_env env)
{
    void *data = NULL;
    if (napi_get_instance_data(env, &data) != napi_ok)
        return NULL;
    return data;
}

static void finalize_instance(napi_env env, void *data, void *hint)
{
    struct instance *instance = data;
    (void)env;
    (void)hint;
    if (instance->aead != NULL)
        aead_close(instance->aead);
    free(instance); /* the environment gives back arena_ref itself */
}

static void throw_failed(napi_env env, const char *what)
{
    bool pending = false;
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending)
        return;
    (void)napi_throw_error(env, NULL, what);
}

void register_calls(napi_env env, napi_value exports, const struct call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        napi_value function;
        if (napi_create_function(env, calls[i].name, NAPI_AUTO_LENGTH, calls[i].function, NULL,
                                 &function) != napi_ok ||
            napi_set_named_property(env, exports, calls[i].name, function) != napi_ok) {
            throw_failed(env, "the addon's calls could not be registered");
            return;
        }
    }
}

// --- Arguments

static bool throw_type(napi_env env, const char *name, const char *what)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text, "%s must be %s", name, what);
    (void)napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", text);
    return false;
}

bool get_args(napi_env env, napi_callback_info info, size_t want, napi_value args[ARGS_MAX])
{
    size_t count = ARGS_MAX;
    if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok) {
        throw_failed(env, "the arguments could not be read");
        return false;
    }
    if (count >= want)
        return true;
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text, "%zu arguments are needed, %zu were given", want, count);
    (void)napi_throw_type_error(env, "ERR_MISSING_ARGS", text);
    return false;
}

/* A whole number between two limits; -0 counts as 0. */
static bool get_whole(napi_env env, napi_value value, double least, double most, double *out)
{
    if (napi_get_value_double(env, value, out) != napi_ok)
        return false;
    return *out >= least && *out <= most && *out == (double)(int64_t)*out;
}

bool get_u32(napi_env env, napi_value value, const char *name, uint32_t *out)
{
    double number;
    if (!get_whole(env, value, 0, UINT32_MAX, &number)) {
        return throw_type(env, name, "a whole number of at most 32 bits, not negative");
    }
    *out = (uint32_t)number;
    return true;
}

bool get_i32(napi_env env, napi_value value, const char *name, int32_t *out)
{
    double number;
    if (!get_whole(env, value, INT32_MIN, INT32_MAX, &number)) {
        return throw_type(env, name, "a whole number of at most 32 bits");
    }
    *out = (int32_t)number;
    return true;
}

bool get_bool(napi_env env, napi_value value, const char *name, bool *out)
{
    if (napi_get_value_bool(env, value, out) == napi_ok)
        return true;
    return throw_type(env, name, "true or false");
}

bool get_text(napi_env env, napi_value value, const char *name, char *out, size_t room)
{
    size_t bytes, copied;
    if (napi_get_value_string_utf8(env, value, NULL, 0, &bytes) != napi_ok) {
        return throw_type(env, name, "a string");
    }
    if (bytes >= room)
        return throw_type(env, name, "a shorter string");
    if (napi_get_value_string_utf8(env, value, out, room, &copied) != napi_ok || copied != bytes) {
        return throw_type(env, name, "a string");
    }
    /* A zero inside would end the text early for the kernel and not for the caller. */
    if (memchr(out, '\0', bytes) != NULL)
        return throw_type(env, name, "a string without \\0");
    return true;
}

static bool get_array(napi_env env, napi_value value, napi_typedarray_type want, void **data,
                      size_t *length)
{
    napi_typedarray_type type;
    bool is = false;
    if (napi_is_typedarray(env, value, &is) != napi_ok || !is)
        return false;
    if (napi_get_typedarray_info(env, value, &type, length, data, NULL, NULL) != napi_ok) {
        return false;
    }
    return type == want && (*data != NULL || *length == 0);
}

bool get_bytes(napi_env env, napi_value value, const char *name, uint8_t **bytes, size_t *length)
{
    void *data = NULL;
    if (!get_array(env, value, napi_uint8_array, &data, length)) {
        return throw_type(env, name, "a Uint8Array");
    }
    *bytes = data;
    return true;
}

// --- Results

napi_value make_i32(napi_env env, int32_t value)
{
    napi_value result = NULL;
    if (napi_create_int32(env, value, &result) != napi_ok)
        return NULL;
    return result;
}

napi_value make_f64(napi_env env, double value)
{
    napi_value result = NULL;
    if (napi_create_double(env, value, &result) != napi_ok)
        return NULL;
    return result;
}

napi_value make_text(napi_env env, const char *text)
{
    napi_value result = NULL;
    if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result) != napi_ok)
        return NULL;
    return result;
}

napi_value throw_errno(napi_env env, int negative_errno)
{
    char text[TEXT_BYTES];
    /* _GNU_SOURCE is not set, so this is the function of POSIX. */
    if (strerror_r(-negative_errno, text, sizeof text) != 0) {
        (void)snprintf(text, sizeof text, "errno %d", -negative_errno);
    }
    (void)napi_throw_error(env, uv_err_name(negative_errno), text);
    return NULL;
}

// --- Calls

/* A Uint32Array with one entry per region. */
static bool get_regions(napi_env env, napi_value value, const char *name,
                        uint32_t out[REGION_COUNT])
{
    void *data = NULL;
    size_t length;
    if (!get_array(env, value, napi_uint32_array, &data, &length) || length != REGION_COUNT) {
        return throw_type(env, name, "a Uint32Array with an entry per region");
    }
    memcpy(out, data, REGION_COUNT * sizeof out[0]);
    return true;
}

/*
 * attach(arena, bases, counts). The reference keeps the bytes alive until the thread ends; a
 * second call takes another arena, which only tests do.
 */
static napi_value call_attach(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    struct arena arena;
    napi_ref reference;
    struct instance *instance = instance_of(env);
    if (instance == NULL || !get_args(env, info, 3, args))
        return NULL;
    if (!get_bytes(env, args[0], "arena", &arena.base, &arena.bytes))
        return NULL;
    if (!get_regions(env, args[1], "bases", arena.region))
        return NULL;
    if (!get_regions(env, args[2], "counts", arena.count))
        return NULL;
    for (size_t i = 0; i < REGION_COUNT; i++) {
        if (arena.region[i] > arena.bytes) {
            throw_type(env, "bases", "offsets inside the arena");
            return NULL;
        }
    }
    if (napi_create_reference(env, args[0], 1, &reference) != napi_ok) {
        throw_failed(env, "the arena could not be kept");
        return NULL;
    }
    if (instance->arena_ref != NULL)
        (void)napi_delete_reference(env, instance->arena_ref);
    instance->arena_ref = reference;
    instance->arena = arena;
    return NULL;
}

static napi_value call_boot_ms(napi_env env, napi_callback_info info)
{
    struct timespec now;
    (void)info;
    if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
        return throw_errno(env, -errno);
    return make_f64(env, (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6);
}

/* errorText(errno); takes both signs, since calls return -errno. */
static napi_value call_error_text(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    int32_t number;
    char text[TEXT_BYTES];
    if (!get_args(env, info, 1, args) || !get_i32(env, args[0], "errno", &number))
        return NULL;
    if (number < 0 && number != INT32_MIN)
        number = -number;
    if (strerror_r(number, text, sizeof text) != 0) {
        (void)snprintf(text, sizeof text, "Unknown error %d", number);
    }
    return make_text(env, text);
}

/* lockMemory(offset, bytes): a part of the arena; see memory.h. */
static napi_value call_lock_memory(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    uint32_t offset, bytes;
    struct instance *instance = instance_of(env);
    if (instance == NULL || !get_args(env, info, 2, args))
        return NULL;
    if (!get_u32(env, args[0], "offset", &offset))
        return NULL;
    if (!get_u32(env, args[1], "bytes", &bytes))
        return NULL;
    if (instance->arena.base == NULL || offset > instance->arena.bytes ||
        bytes > instance->arena.bytes - offset) {
        return make_i32(env, -EINVAL);
    }
    return make_f64(env, (double)memory_lock(instance->arena.base + offset, bytes));
}

static napi_value call_no_core_dumps(napi_env env, napi_callback_info info)
{
    const struct rlimit none = {0, 0};
    (void)info;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return make_i32(env, -errno);
    if (setrlimit(RLIMIT_CORE, &none) < 0)
        return make_i32(env, -errno);
    return make_i32(env, 0);
}

static napi_value call_close(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    int32_t fd;
    if (!get_args(env, info, 1, args) || !get_i32(env, args[0], "fd", &fd))
        return NULL;
    return make_i32(env, close(fd) < 0 ? -errno : 0);
}

static const struct call CALLS[] = {
    {"attach", call_attach},
    {"bootMs", call_boot_ms},
    {"errorText", call_error_text},
    {"lockMemory", call_lock_memory},
    {"noCoreDumps", call_no_core_dumps},
    {"close", call_close},
};

NAPI_MODULE_INIT()
{
    struct instance *instance = calloc(1, sizeof *instance);
    if (instance == NULL)
        return throw_errno(env, -ENOMEM);
    if (napi_set_instance_data(env, instance, finalize_instance, NULL) != napi_ok) {
        free(instance);
        throw_failed(env, "the addon could not be set up");
        return NULL;
    }
    instance->aead = aead_open(); /* NULL: node has no OpenSSL; cryptoProbe() says so */
    register_calls(env, exports, CALLS, sizeof CALLS / sizeof CALLS[0]);
    register_process(env, exports);
    register_watch(env, exports);
    register_net(env, exports);
    register_names(env, exports);
    register_neighbour(env, exports);
    register_udp(env, exports);
    register_io(env, exports);
    register_aead(env, exports);
    return exports;
}
