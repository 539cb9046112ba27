/* addon_neighbour.c — the kernel's tables of neighbours; see neighbour.h and addon.ts. */
#include "addon.h"
#include "neighbour.h"

static napi_value call_neighbour_open(napi_env env, napi_callback_info info)
{
    (void)info;
    return make_i32(env, neighbour_open());
}

static napi_value call_neighbour_unknown(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    int32_t fd;
    uint32_t mark;
    bool bound;
    union address to, local;
    if (!get_args(env, info, 5, args) || !get_i32(env, args[0], "fd", &fd))
        return NULL;
    if (!get_address(env, args[1], "sockaddr", &to))
        return NULL;
    if (!get_address(env, args[2], "local", &local))
        return NULL;
    if (!get_u32(env, args[3], "mark", &mark) || !get_bool(env, args[4], "bound", &bound))
        return NULL;
    return make_i32(env, neighbour_unknown(fd, &to, &local, mark, bound));
}

typedef int (*neighbour_change)(int fd, uint32_t index, const struct netlink_address *address);

static napi_value change_neighbour(napi_env env, napi_callback_info info, neighbour_change change)
{
    napi_value args[ARGS_MAX];
    int32_t fd;
    uint32_t index;
    uint8_t *bytes;
    size_t length;
    struct netlink_address address;
    if (!get_args(env, info, 3, args) || !get_i32(env, args[0], "fd", &fd))
        return NULL;
    if (!get_u32(env, args[1], "index", &index))
        return NULL;
    if (!get_bytes(env, args[2], "address", &bytes, &length))
        return NULL;
    int result = netlink_address_make(&address, bytes, length, 0);
    return make_i32(env, result < 0 ? result : change(fd, index, &address));
}

static napi_value call_neighbour_add(napi_env env, napi_callback_info info)
{
    return change_neighbour(env, info, neighbour_add);
}

static napi_value call_neighbour_remove(napi_env env, napi_callback_info info)
{
    return change_neighbour(env, info, neighbour_remove);
}

static const struct call CALLS[] = {
    {"neighbourOpen", call_neighbour_open},
    {"neighbourUnknown", call_neighbour_unknown},
    {"neighbourAdd", call_neighbour_add},
    {"neighbourRemove", call_neighbour_remove},
};

void register_neighbour(napi_env env, napi_value exports)
{
    register_calls(env, exports, CALLS, sizeof CALLS / sizeof CALLS[0]);
}
