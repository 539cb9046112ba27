/*
 * addon_watch.c — descriptors on this thread's event loop, and eventfd.
 *
 * A watch lives while either side needs it: the loop until its handle is closed, and JavaScript
 * until the WatchHandle is collected. Whichever ends last frees it.
 *
 *   watch() ──> polling ── unwatch() ──> closing ── on_closed() ──> closed
 *                  └─ the thread ends: on_exit() ──┘
 *
 * on_exit() is an asynchronous cleanup hook: the thread waits for on_closed() before its loop goes,
 * so that a live watch cannot outlast the loop.
 */
#define _DEFAULT_SOURCE
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "addon_throw.h"

/* --- libuv, as the node binary exports it. Written out, since uv.h comes with no addon headers;
 * sizes are asked for, and the two numbers are part of libuv's stable interface. */
#define UV_POLL 8
#define UV_READABLE 1
struct uv_loop_s;
size_t uv_handle_size(int type);
int uv_poll_init(struct uv_loop_s *loop, void *handle, int fd);
int uv_poll_start(void *handle, int events, void (*callback)(void *, int, int));
int uv_poll_stop(void *handle);
void uv_close(void *handle, void (*callback)(void *));
void uv_handle_set_data(void *handle, void *data);
void *uv_handle_get_data(const void *handle);

struct watch {
    napi_env env;
    napi_ref callback;
    napi_async_cleanup_hook_handle hook;
    void *poll;      /* uv_poll_t */
    bool closing;
    bool closed;
    bool collected;  /* JavaScript no longer holds the WatchHandle */
};

/* Marks our objects, so that unwatch() takes no other. A random number. */
static const napi_type_tag WATCH_TAG = {0x8f2c5a1be07d4936, 0xb1643dc98e5f02a7};

static void free_when_done(struct watch *watch)
{
    if (!watch->closed || !watch->collected)
        return;
    free(watch->poll);
    free(watch);
}

static void on_closed(void *poll)
{
    struct watch *watch = uv_handle_get_data(poll);
    napi_async_cleanup_hook_handle hook = watch->hook;
    watch->closed = true;
    free_when_done(watch);
    (void)napi_remove_async_cleanup_hook(hook); /* a thread that waits for us goes on */
}

static void close_watch(struct watch *watch)
{
    if (watch->closing)
        return;
    watch->closing = true;
    (void)napi_delete_reference(watch->env, watch->callback);
    watch->callback = NULL;
    (void)uv_poll_stop(watch->poll);
    uv_close(watch->poll, on_closed);
}

static void on_exit_hook(napi_async_cleanup_hook_handle handle, void *data)
{
    (void)handle; /* the same as watch->hook; removed in on_closed() */
    close_watch(data);
}

static void on_collected(napi_env env, void *data, void *hint)
{
    struct watch *watch = data;
    (void)env;
    (void)hint;
    watch->collected = true;
    free_when_done(watch);
}

/* Calls back; what it throws is an uncaught exception of this thread. */
static void call_back(struct watch *watch)
{
    napi_env env = watch->env;
    napi_value global, function, ignored, error;
    bool pending = false;
    if (napi_get_global(env, &global) != napi_ok)
        return;
    if (napi_get_reference_value(env, watch->callback, &function) != napi_ok)
        return;
    napi_status status = napi_make_callback(env, NULL, global, function, 0, NULL, &ignored);
    if (status == napi_ok)
        return;
    if (napi_is_exception_pending(env, &pending) != napi_ok || !pending)
        return;
    if (napi_get_and_clear_last_exception(env, &error) != napi_ok)
        return;
    (void)napi_fatal_exception(env, error); /* refused while the thread is being stopped */
}

static void on_readable(void *poll, int status, int events)
{
    struct watch *watch = uv_handle_get_data(poll);
    napi_handle_scope scope;
    (void)events;
    if (napi_open_handle_scope(watch->env, &scope) != napi_ok)
        return;
    call_back(watch);
    (void)napi_close_handle_scope(watch->env, scope);
    /*
     * libuv stops a handle whose descriptor has an error pending, and for netlink that only means
     * that events were lost. Reading clears the error, so watch on; unwatch() alone ends it.
     */
    if (status < 0 && !watch->closing)
        (void)uv_poll_start(watch->poll, UV_READABLE, on_readable);
}

/* Allocates, and begins to poll. Returns 0 or -errno; on an error nothing is left behind. */
static int open_watch(napi_env env, int fd, struct watch **out)
{
    struct uv_loop_s *loop;
    if (napi_get_uv_event_loop(env, &loop) != napi_ok)
        return -ENOTSUP;
    struct watch *watch = calloc(1, sizeof *watch);
    void *poll = calloc(1, uv_handle_size(UV_POLL));
    int result = watch == NULL || poll == NULL ? -ENOMEM : uv_poll_init(loop, poll, fd);
    if (result < 0) {
        free(poll);
        free(watch);
        return result;
    }
    watch->env = env;
    watch->poll = poll;
    uv_handle_set_data(poll, watch);
    *out = watch;
    return 0;
}

/* watch(fd, callback): a WatchHandle. Throws an Error with the errno's name for a bad fd. */
static napi_value call_watch(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX], handle;
    napi_valuetype type;
    int32_t fd;
    struct watch *watch = NULL;
    if (!get_args(env, info, 2, args) || !get_i32(env, args[0], "fd", &fd))
        return NULL;
    if (napi_typeof(env, args[1], &type) != napi_ok || type != napi_function) {
        (void)napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "callback must be a function");
        return NULL;
    }
    int result = fd < 0 ? -EBADF : open_watch(env, fd, &watch);
    if (result < 0)
        return throw_errno(env, result);
    watch->collected = true; /* until JavaScript has it */
    if (napi_add_async_cleanup_hook(env, on_exit_hook, watch, &watch->hook) != napi_ok) {
        watch->hook = NULL;
    }
    if (watch->hook == NULL ||
        napi_create_reference(env, args[1], 1, &watch->callback) != napi_ok ||
        napi_create_object(env, &handle) != napi_ok ||
        napi_type_tag_object(env, handle, &WATCH_TAG) != napi_ok ||
        napi_wrap(env, handle, watch, on_collected, NULL, NULL) != napi_ok) {
        close_watch(watch);
        return throw_errno(env, -ENOMEM);
    }
    watch->collected = false;
    result = uv_poll_start(watch->poll, UV_READABLE, on_readable);
    if (result == 0)
        return handle;
    close_watch(watch);
    return throw_errno(env, result);
}

/* unwatch(handle): no more calls from now on, also inside the callback; again: nothing. */
static napi_value call_unwatch(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    napi_valuetype type;
    bool ours = false;
    void *watch = NULL;
    if (!get_args(env, info, 1, args))
        return NULL;
    if (napi_typeof(env, args[0], &type) != napi_ok || type != napi_object ||
        napi_check_object_type_tag(env, args[0], &WATCH_TAG, &ours) != napi_ok || !ours ||
        napi_unwrap(env, args[0], &watch) != napi_ok) {
        (void)napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "handle must come from watch()");
        return NULL;
    }
    close_watch(watch);
    return NULL;
}

// --- eventfd(2)

static napi_value call_event_open(napi_env env, napi_callback_info info)
{
    (void)info;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return make_i32(env, fd < 0 ? -errno : fd);
}

/* "EAGAIN: the counter is full" still leaves the descriptor readable, which is all we want. */
static napi_value call_event_signal(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    int32_t fd;
    const uint64_t one = 1;
    if (!get_args(env, info, 1, args) || !get_i32(env, args[0], "fd", &fd))
        return NULL;
    ssize_t wrote = write(fd, &one, sizeof one);
    if (wrote < 0 && errno != EAGAIN)
        return make_i32(env, -errno);
    return make_i32(env, 0);
}

/* 1 when it was signalled, 0 when it was not. */
static napi_value call_event_clear(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    int32_t fd;
    uint64_t signals;
    if (!get_args(env, info, 1, args) || !get_i32(env, args[0], "fd", &fd))
        return NULL;
    ssize_t got = read(fd, &signals, sizeof signals);
    if (got < 0 && errno != EAGAIN)
        return make_i32(env, -errno);
    return make_i32(env, got < 0 ? 0 : 1);
}

static const struct call CALLS[] = {
    {"watch", call_watch},           {"unwatch", call_unwatch},
    {"eventOpen", call_event_open},  {"eventSignal", call_event_signal},
    {"eventClear", call_event_clear},
};

void register_watch(napi_env env, napi_value exports)
{
    register_calls(env, exports, CALLS, sizeof CALLS / sizeof CALLS[0]);
}
