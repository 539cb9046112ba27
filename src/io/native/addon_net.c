/*
 * addon_net.c — links, addresses, routes and the service manager, for JavaScript.
 *
 * Each call reads its arguments, asks netlink.c and gives back its result. The two calls that give
 * arrays have no room for an errno and throw it as an Error with a `code`.
 */
#include "addon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "addon_throw.h"
#include "netlink_request.h"
#include "notify.h"

/* Events given at once; those that follow stay in the socket. */
#define EVENTS_MAX 64
/* "ffff:...:ffff/128" and its terminator. */
#define PREFIX_TEXT_BYTES (INET6_ADDRSTRLEN + 4)

static int32_t as_i32(uint32_t value)
{
    return value > INT32_MAX ? INT32_MAX : (int32_t)value;
}

// --- Links

static bool ask_link(napi_env env, napi_callback_info info, struct netlink_link *link,
                     int *result)
{
    napi_value args[ARGS_MAX];
    char name[NETLINK_NAME_BYTES];
    if (!get_args(env, info, 1, args))
        return false;
    if (!get_text(env, args[0], "name", name, sizeof name))
        return false;
    *result = netlink_link_get(name, link);
    return true;
}

static napi_value call_link_index(napi_env env, napi_callback_info info)
{
    struct netlink_link link;
    int result;
    if (!ask_link(env, info, &link, &result))
        return NULL;
    return make_i32(env, result < 0 ? result : as_i32(link.index));
}

static napi_value call_link_mtu(napi_env env, napi_callback_info info)
{
    struct netlink_link link;
    int result;
    if (!ask_link(env, info, &link, &result))
        return NULL;
    return make_i32(env, result < 0 ? result : as_i32(link.mtu));
}

static napi_value call_link_flags(napi_env env, napi_callback_info info)
{
    struct netlink_link link;
    int result;
    if (!ask_link(env, info, &link, &result))
        return NULL;
    return make_i32(env, result < 0 ? result : as_i32(link.flags));
}

/* linkName(index): as this thread's namespace calls it, or "" where it has no such link. */
static napi_value call_link_name(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    char name[IF_NAMESIZE];
    uint32_t index;
    if (!get_args(env, info, 1, args) || !get_u32(env, args[0], "index", &index))
        return NULL;
    return make_text(env, if_indextoname(index, name) == NULL ? "" : name);
}

static napi_value call_link_set(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    uint32_t index;
    struct netlink_link_change change;
    if (!get_args(env, info, 6, args) || !get_u32(env, args[0], "index", &index))
        return NULL;
    if (!get_i32(env, args[1], "mtu", &change.mtu))
        return NULL;
    if (!get_i32(env, args[2], "up", &change.up))
        return NULL;
    if (!get_i32(env, args[3], "txQueueLength", &change.queue_packets))
        return NULL;
    if (!get_i32(env, args[4], "gsoMaxSegments", &change.gso_segments))
        return NULL;
    if (!get_i32(env, args[5], "gsoMaxBytes", &change.gso_bytes))
        return NULL;
    return make_i32(env, netlink_link_set(index, &change));
}

// --- Addresses and routes

/* The first three arguments of four calls: index, address, prefixLength. */
static bool get_prefix(napi_env env, const napi_value args[ARGS_MAX], uint32_t *index,
                       struct netlink_address *out, int *result)
{
    uint8_t *address;
    size_t bytes;
    uint32_t prefix_bits;
    if (!get_u32(env, args[0], "index", index))
        return false;
    if (!get_bytes(env, args[1], "address", &address, &bytes))
        return false;
    if (!get_u32(env, args[2], "prefixLength", &prefix_bits))
        return false;
    *result = netlink_address_make(out, address, bytes, prefix_bits);
    return true;
}

static napi_value call_address_add(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    uint32_t index;
    struct netlink_address address;
    int result;
    if (!get_args(env, info, 3, args))
        return NULL;
    if (!get_prefix(env, args, &index, &address, &result))
        return NULL;
    if (result == 0)
        result = netlink_address_add(index, &address);
    return make_i32(env, result);
}

static napi_value call_address_remove(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    uint32_t index;
    struct netlink_address address;
    int result;
    if (!get_args(env, info, 3, args))
        return NULL;
    if (!get_prefix(env, args, &index, &address, &result))
        return NULL;
    if (result == 0)
        result = netlink_address_remove(index, &address);
    return make_i32(env, result);
}

static napi_value make_prefix(napi_env env, const struct netlink_address *address)
{
    char host[INET6_ADDRSTRLEN], text[PREFIX_TEXT_BYTES];
    if (inet_ntop(address->family, address->bytes, host, sizeof host) == NULL)
        return NULL;
    (void)snprintf(text, sizeof text, "%s/%u", host, (unsigned)address->prefix_bits);
    return make_text(env, text);
}

/* addressList(index): texts; none for a link without addresses or one that is not there; 0: all. */
static napi_value call_address_list(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX], list;
    uint32_t index;
    struct netlink_address addresses[HOST_ADDRESSES];
    if (!get_args(env, info, 1, args) || !get_u32(env, args[0], "index", &index))
        return NULL;
    size_t room = index == 0 ? HOST_ADDRESSES : NETLINK_ADDRESSES_MAX;
    int count = netlink_address_list(index, addresses, room);
    if (count < 0)
        return throw_errno(env, count);
    if (napi_create_array_with_length(env, (size_t)count, &list) != napi_ok)
        return NULL;
    for (int i = 0; i < count; i++) {
        napi_value text = make_prefix(env, &addresses[i]);
        if (text == NULL || napi_set_element(env, list, (uint32_t)i, text) != napi_ok)
            return NULL;
    }
    return list;
}

static napi_value call_route_add(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    uint32_t index, metric;
    struct netlink_address to;
    int result;
    if (!get_args(env, info, 4, args))
        return NULL;
    if (!get_prefix(env, args, &index, &to, &result))
        return NULL;
    if (!get_u32(env, args[3], "metric", &metric))
        return NULL;
    if (result == 0)
        result = netlink_route_add(index, &to, metric);
    return make_i32(env, result);
}

static napi_value call_route_remove(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    uint32_t index, metric;
    struct netlink_address to;
    int result;
    if (!get_args(env, info, 4, args))
        return NULL;
    if (!get_prefix(env, args, &index, &to, &result))
        return NULL;
    if (!get_u32(env, args[3], "metric", &metric))
        return NULL;
    if (result == 0)
        result = netlink_route_remove(index, &to, metric);
    return make_i32(env, result);
}

/* routeFind(to, from, mark, match, result): see netlink_route_find(). */
static napi_value call_route_find(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    union address to, from;
    struct netlink_flow flow;
    struct netlink_way way;
    uint32_t mark;
    bool match;
    uint8_t *result;
    size_t room;
    if (!get_args(env, info, 5, args))
        return NULL;
    if (!get_address(env, args[0], "to", &to) || !get_address(env, args[1], "from", &from))
        return NULL;
    if (!get_u32(env, args[2], "mark", &mark) || !get_bool(env, args[3], "match", &match) ||
        !get_bytes(env, args[4], "result", &result, &room))
        return NULL;
    if (room < sizeof way || !netlink_flow_between(&flow, &to, &from))
        return make_i32(env, -EINVAL);
    flow.mark = mark;
    int error = netlink_route_find(&flow, match, &way);
    memcpy(result, &way, sizeof way);
    return make_i32(env, error);
}

// --- Events

static napi_value call_netlink_open(napi_env env, napi_callback_info info)
{
    (void)info;
    return make_i32(env, netlink_events_open());
}

static const char *kind_text(enum netlink_event_kind kind)
{
    switch (kind) {
    case NETLINK_EVENT_LINK:
        return "link";
    case NETLINK_EVENT_LINK_GONE:
        return "linkGone";
    case NETLINK_EVENT_ADDRESS:
        return "address";
    case NETLINK_EVENT_ADDRESS_GONE:
        return "addressGone";
    case NETLINK_EVENT_ROUTE:
        return "route";
    case NETLINK_EVENT_ROUTE_GONE:
        return "routeGone";
    case NETLINK_EVENT_OVERRUN:
        break;
    }
    return "overrun";
}

static bool set(napi_env env, napi_value object, const char *name, napi_value value)
{
    return value != NULL && napi_set_named_property(env, object, name, value) == napi_ok;
}

static napi_value make_event(napi_env env, const struct netlink_event *event)
{
    napi_value object, up;
    if (napi_create_object(env, &object) != napi_ok)
        return NULL;
    if (napi_get_boolean(env, event->up, &up) != napi_ok)
        return NULL;
    if (!set(env, object, "kind", make_text(env, kind_text(event->kind))))
        return NULL;
    if (!set(env, object, "index", make_f64(env, event->index)))
        return NULL;
    if (!set(env, object, "name", make_text(env, event->name)))
        return NULL;
    if (!set(env, object, "up", up))
        return NULL;
    if (!set(env, object, "mtu", make_f64(env, event->mtu)))
        return NULL;
    return object;
}

static napi_value call_netlink_read(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX], list;
    int32_t fd;
    struct netlink_event events[EVENTS_MAX];
    if (!get_args(env, info, 1, args) || !get_i32(env, args[0], "fd", &fd))
        return NULL;
    int count = netlink_events_read(fd, events, EVENTS_MAX);
    if (count < 0)
        return throw_errno(env, count);
    if (napi_create_array_with_length(env, (size_t)count, &list) != napi_ok)
        return NULL;
    for (int i = 0; i < count; i++) {
        napi_value event = make_event(env, &events[i]);
        if (event == NULL || napi_set_element(env, list, (uint32_t)i, event) != napi_ok) {
            return NULL;
        }
    }
    return list;
}

// --- Service manager

/* getenv(3) is read here: nothing in this process changes NOTIFY_SOCKET while we run. */
static napi_value call_notify(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    char state[NOTIFY_STATE_BYTES];
    if (!get_args(env, info, 1, args))
        return NULL;
    if (!get_text(env, args[0], "state", state, sizeof state))
        return NULL;
    return make_i32(env, notify_send(getenv("NOTIFY_SOCKET"), state));
}

static const struct call CALLS[] = {
    {"linkIndex", call_link_index},
    {"linkName", call_link_name},
    {"linkMtu", call_link_mtu},
    {"linkFlags", call_link_flags},
    {"linkSet", call_link_set},
    {"addressAdd", call_address_add},
    {"addressRemove", call_address_remove},
    {"addressList", call_address_list},
    {"routeAdd", call_route_add},
    {"routeRemove", call_route_remove},
    {"routeFind", call_route_find},
    {"netlinkOpen", call_netlink_open},
    {"netlinkRead", call_netlink_read},
    {"notify", call_notify},
};

void register_net(napi_env env, napi_value exports)
{
    register_calls(env, exports, CALLS, sizeof CALLS / sizeof CALLS[0]);
}
