/* addon_io.c — the packet path's calls; see addon.ts for what each takes and gives. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"
#include "io.h"
#include "routes.h"

#define CALL(name) static napi_value name(napi_env env, napi_callback_info info)

static const napi_type_tag IO_TAG = { 0x70327076706e696fULL, 0x1d3c5a7790e2b4f6ULL };

static void finalize_io(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)hint;
    io_close(*(struct io **)data);
    free(data);
}

/* The handle is a box, so that ioClose() may empty it before the collector comes. */
static bool get_io(napi_env env, napi_value value, struct io **out)
{
    bool tagged = false;
    void *box = NULL;
    if (napi_check_object_type_tag(env, value, &IO_TAG, &tagged) != napi_ok || !tagged ||
        napi_get_value_external(env, value, &box) != napi_ok || *(struct io **)box == NULL) {
        napi_throw_type_error(env, NULL, "io is not an open handle");
        return false;
    }
    *out = *(struct io **)box;
    return true;
}

static bool option_i32(napi_env env, napi_value object, const char *name, int32_t *out)
{
    napi_value value;
    return napi_get_named_property(env, object, name, &value) == napi_ok &&
           get_i32(env, value, name, out);
}

static bool option_bool(napi_env env, napi_value object, const char *name, bool *out)
{
    napi_value value;
    return napi_get_named_property(env, object, name, &value) == napi_ok &&
           get_bool(env, value, name, out);
}

CALL(io_open_call)
{
    napi_value args[ARGS_MAX], result;
    struct io_options options = { 0 };
    int32_t thread, vnet, busy_bytes;

    if (!get_args(env, info, 1, args) || !option_i32(env, args[0], "thread", &thread) ||
        !option_i32(env, args[0], "tun", &options.tun) ||
        !option_i32(env, args[0], "vnetHeaderBytes", &vnet) ||
        !option_i32(env, args[0], "udp4", &options.udp4) ||
        !option_i32(env, args[0], "udp6", &options.udp6) ||
        !option_i32(env, args[0], "wake", &options.wake) ||
        !option_bool(env, args[0], "gso", &options.gso) ||
        !option_bool(env, args[0], "uso", &options.uso) ||
        !option_bool(env, args[0], "tso", &options.tso) ||
        !option_i32(env, args[0], "busyBytes", &busy_bytes))
        return NULL;
    options.busy_bytes = busy_bytes < 0 ? 0 : (uint32_t)busy_bytes;
    options.thread = (uint32_t)thread;
    options.vnet = vnet != 0;

    struct io **box = calloc(1, sizeof *box);
    if (box == NULL) {
        napi_throw_error(env, "ENOMEM", "no memory for an I/O thread");
        return NULL;
    }
    int opened = io_open(&instance_of(env)->arena, &options, box);
    if (opened < 0) {
        free(box);
        napi_throw_error(env, "IO_OPEN", strerror(-opened));
        return NULL;
    }
    if (napi_create_external(env, box, finalize_io, NULL, &result) != napi_ok) {
        io_close(*box);
        free(box);
        return NULL;
    }
    return napi_type_tag_object(env, result, &IO_TAG) == napi_ok ? result : NULL;
}

CALL(io_close_call)
{
    napi_value args[ARGS_MAX];
    void *box = NULL;
    bool tagged = false;
    if (get_args(env, info, 1, args) &&
        napi_check_object_type_tag(env, args[0], &IO_TAG, &tagged) == napi_ok && tagged &&
        napi_get_value_external(env, args[0], &box) == napi_ok) {
        io_close(*(struct io **)box);
        *(struct io **)box = NULL;
    }
    return NULL;
}

static napi_value wait_with(napi_env env, napi_callback_info info,
                            int (*function)(struct io *io, int timeout_ms))
{
    napi_value args[ARGS_MAX];
    struct io *io;
    int32_t timeout;
    if (!get_args(env, info, 2, args) || !get_io(env, args[0], &io) ||
        !get_i32(env, args[1], "timeoutMs", &timeout))
        return NULL;
    return make_i32(env, function(io, timeout));
}

CALL(io_poll_call)
{
    return wait_with(env, info, io_poll);
}

CALL(io_poll_wake_call)
{
    return wait_with(env, info, io_poll_wake);
}

static napi_value call_with_io(napi_env env, napi_callback_info info,
                               int (*function)(struct io *io))
{
    napi_value args[ARGS_MAX];
    struct io *io;
    if (!get_args(env, info, 1, args) || !get_io(env, args[0], &io))
        return NULL;
    return make_i32(env, function(io));
}

CALL(io_rebind_call)
{
    return call_with_io(env, info, io_rebind);
}

CALL(io_tend_call)
{
    napi_value args[ARGS_MAX];
    struct io *io;
    if (get_args(env, info, 1, args) && get_io(env, args[0], &io))
        io_tend(io);
    return NULL;
}

CALL(io_disconnect_call)
{
    napi_value args[ARGS_MAX];
    struct io *io;
    uint32_t peer;
    if (get_args(env, info, 2, args) && get_io(env, args[0], &io) &&
        get_u32(env, args[1], "peer", &peer))
        io_disconnect(io, peer);
    return NULL;
}

static napi_value call_with_fd(napi_env env, napi_callback_info info,
                               void (*function)(struct io *io, int fd))
{
    napi_value args[ARGS_MAX];
    struct io *io;
    int32_t fd;
    if (get_args(env, info, 2, args) && get_io(env, args[0], &io) &&
        get_i32(env, args[1], "fd", &fd))
        function(io, fd);
    return NULL;
}

CALL(io_pass_to_call)
{
    return call_with_fd(env, info, io_pass_to);
}

CALL(io_ring_to_call)
{
    return call_with_fd(env, info, io_ring_to);
}

typedef int job_function(struct io *io, uint32_t job);

static napi_value call_with_job(napi_env env, napi_callback_info info, job_function *function)
{
    napi_value args[ARGS_MAX];
    struct io *io;
    uint32_t job;
    if (!get_args(env, info, 2, args) || !get_io(env, args[0], &io) ||
        !get_u32(env, args[1], "job", &job))
        return NULL;
    return make_i32(env, function(io, job));
}

CALL(tun_read_call)
{
    return call_with_job(env, info, io_tun_read);
}

CALL(too_big_call)
{
    return call_with_job(env, info, io_too_big);
}

CALL(clamp_mss_call)
{
    return call_with_job(env, info, io_clamp_mss);
}

CALL(accept_call)
{
    return call_with_job(env, info, io_accept);
}

CALL(send_add_call)
{
    return call_with_job(env, info, io_send_add);
}

CALL(send_flush_call)
{
    return call_with_io(env, info, io_send_flush);
}

CALL(receive_call)
{
    napi_value args[ARGS_MAX];
    struct io *io;
    uint32_t job, offered;
    if (!get_args(env, info, 3, args) || !get_io(env, args[0], &io) ||
        !get_u32(env, args[1], "job", &job) || !get_u32(env, args[2], "count", &offered))
        return NULL;
    return make_i32(env, io_receive(io, job, offered));
}

static napi_value lone_with(napi_env env, napi_callback_info info, const char *last,
                            int (*function)(struct io *io, struct aead *aead, uint32_t job,
                                            uint32_t offered, int value))
{
    napi_value args[ARGS_MAX];
    struct io *io;
    uint32_t job, offered;
    int32_t value;
    if (!get_args(env, info, 4, args) || !get_io(env, args[0], &io) ||
        !get_u32(env, args[1], "job", &job) || !get_u32(env, args[2], "count", &offered) ||
        !get_i32(env, args[3], last, &value))
        return NULL;
    return make_i32(env, function(io, instance_of(env)->aead, job, offered, value));
}

CALL(lone_call)
{
    return lone_with(env, info, "ready", io_lone);
}

CALL(io_wait_call)
{
    return lone_with(env, info, "timeout", io_wait);
}

CALL(prepare_call)
{
    napi_value args[ARGS_MAX];
    uint32_t job;
    if (!get_args(env, info, 1, args) || !get_u32(env, args[0], "job", &job))
        return NULL;
    const struct arena *arena = &instance_of(env)->arena;
    /* The time of its I/O thread's turn: a number with a fraction would be boxed to come here. */
    const uint8_t *io = entry(arena, REGION_IOS, IO_SIZE, job / RING_JOBS);
    if (io == NULL)
        return make_i32(env, -EINVAL);
    return make_i32(env, io_prepare(arena, job, load_f64(io + IO_NOW_MS)));
}

CALL(tun_write_call)
{
    return call_with_job(env, info, io_tun_write);
}

CALL(find_call)
{
    return call_with_job(env, info, io_find);
}

CALL(find_session_call)
{
    return call_with_job(env, info, io_find_session);
}

CALL(largest_packet_call)
{
    napi_value args[ARGS_MAX];
    uint32_t path, tunnel;
    if (!get_args(env, info, 2, args) || !get_u32(env, args[0], "path", &path) ||
        !get_u32(env, args[1], "tunnel", &tunnel))
        return NULL;
    return make_i32(env, (int32_t)largest_packet(path, tunnel));
}

CALL(routes_find_call)
{
    napi_value args[ARGS_MAX];
    uint32_t version, first, addresses;
    uint8_t *results;
    size_t room;
    if (!get_args(env, info, 4, args) || !get_u32(env, args[0], "version", &version) ||
        !get_u32(env, args[1], "first", &first) || !get_u32(env, args[2], "count", &addresses) ||
        !get_bytes(env, args[3], "results", &results, &room))
        return NULL;
    const struct arena *arena = &instance_of(env)->arena;
    if (arena->base == NULL || (size_t)addresses * 4 > room ||
        (size_t)first * 4 + (size_t)addresses * 16 > arena->bytes)
        return make_i32(env, -EINVAL);
    const uint8_t *at = arena->base + (size_t)first * 4;
    for (size_t i = 0; i < addresses; i++)
        store32(results + 4 * i, (uint32_t)(route_find(arena, version, at + 16 * i) + 1));
    return make_i32(env, 0);
}

void register_io(napi_env env, napi_value exports)
{
    const struct call calls[] = {
        { "ioOpen", io_open_call },     { "ioClose", io_close_call },
        { "ioPoll", io_poll_call },     { "ioPollWake", io_poll_wake_call },
        { "ioPassTo", io_pass_to_call }, { "ioRingTo", io_ring_to_call },
        { "ioRebind", io_rebind_call },
        { "ioTend", io_tend_call },     { "ioDisconnect", io_disconnect_call },
        { "tunRead", tun_read_call },   { "receive", receive_call },
        { "prepare", prepare_call },    { "accept", accept_call },
        { "tunWrite", tun_write_call }, { "sendAdd", send_add_call },
        { "sendFlush", send_flush_call }, { "tooBig", too_big_call },
        { "clampMss", clamp_mss_call },   { "lone", lone_call },
        { "ioWait", io_wait_call },       { "find", find_call },
        { "findSession", find_session_call }, { "routesFind", routes_find_call },
        { "largestPacket", largest_packet_call },
    };
    register_calls(env, exports, calls, sizeof calls / sizeof calls[0]);
}
