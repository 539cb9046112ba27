/* addon_udp.c — TUN queues, UDP sockets and control's datagrams; see addon.ts. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "addon.h"
#include "probe.h"
#include "tun.h"
#include "udp.h"

#define CALL(name) static napi_value name(napi_env env, napi_callback_info info)

CALL(tun_open_call)
{
    napi_value args[ARGS_MAX];
    char name[TUN_NAME_BYTES];
    bool multi_queue, vnet;
    if (!get_args(env, info, 3, args) || !get_text(env, args[0], "name", name, sizeof name) ||
        !get_bool(env, args[1], "multiQueue", &multi_queue) ||
        !get_bool(env, args[2], "vnetHeader", &vnet))
        return NULL;
    return make_i32(env, tun_open(name, multi_queue, vnet));
}

CALL(tun_name_call)
{
    napi_value args[ARGS_MAX];
    char name[TUN_NAME_BYTES] = "";
    int32_t fd;
    if (!get_args(env, info, 1, args) || !get_i32(env, args[0], "fd", &fd))
        return NULL;
    return make_text(env, tun_name(fd, name) < 0 ? "" : name);
}

CALL(tun_up_call)
{
    napi_value args[ARGS_MAX];
    int32_t fd;
    if (!get_args(env, info, 1, args) || !get_i32(env, args[0], "fd", &fd))
        return NULL;
    return make_i32(env, tun_up(fd));
}

CALL(tun_offload_call)
{
    napi_value args[ARGS_MAX];
    int32_t fd, level;
    if (!get_args(env, info, 2, args) || !get_i32(env, args[0], "fd", &fd) ||
        !get_i32(env, args[1], "level", &level))
        return NULL;
    return make_i32(env, tun_offload(fd, level));
}

CALL(tun_probe_call)
{
    napi_value args[ARGS_MAX];
    int32_t fd;
    uint32_t gso_type;
    if (!get_args(env, info, 2, args) || !get_i32(env, args[0], "fd", &fd) ||
        !get_u32(env, args[1], "gsoType", &gso_type))
        return NULL;
    return make_i32(env, gso_type > UINT8_MAX ? -EINVAL : probe_merged(fd, (uint8_t)gso_type));
}

CALL(udp_open_call)
{
    napi_value args[ARGS_MAX];
    char address[64], device[TUN_NAME_BYTES];
    struct udp_options options = { .address = address, .device = device };
    uint32_t family, port;
    if (!get_args(env, info, 5, args) || !get_u32(env, args[0], "family", &family) ||
        !get_text(env, args[1], "address", address, sizeof address) ||
        !get_u32(env, args[2], "port", &port) || !get_u32(env, args[3], "mark", &options.mark) ||
        !get_text(env, args[4], "device", device, sizeof device))
        return NULL;
    if ((family != 4 && family != 6) || port > 65535)
        return make_i32(env, -EINVAL);
    options.family = family == 4 ? AF_INET : AF_INET6;
    options.port = (uint16_t)port;
    return make_i32(env, udp_open(&options));
}

CALL(udp_taken_call)
{
    napi_value args[ARGS_MAX];
    char address[64], device[TUN_NAME_BYTES];
    struct udp_options options = { .address = address, .device = device };
    uint32_t port;
    if (!get_args(env, info, 3, args) ||
        !get_text(env, args[0], "address", address, sizeof address) ||
        !get_u32(env, args[1], "port", &port) ||
        !get_text(env, args[2], "device", device, sizeof device))
        return NULL;
    options.port = (uint16_t)port;
    options.family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
    int result = udp_taken(&options);
    if (result == 0 && address[0] == '\0') {
        options.family = AF_INET6;
        int result6 = udp_taken(&options);
        result = result6 == -EADDRINUSE ? result6 : 0;
    }
    return make_i32(env, result);
}

/* datagramPair(fds): a bound pair of Unix sockets; two i32 in native order. */
CALL(datagram_pair_call)
{
    napi_value args[ARGS_MAX];
    uint8_t *out;
    size_t length;
    int fds[2];
    if (!get_args(env, info, 1, args) || !get_bytes(env, args[0], "fds", &out, &length))
        return NULL;
    if (length != sizeof fds)
        return make_i32(env, -EINVAL);
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return make_i32(env, -errno);
    memcpy(out, fds, sizeof fds);
    return make_i32(env, 0);
}

static napi_value call_with_fd(napi_env env, napi_callback_info info, int (*function)(int fd))
{
    napi_value args[ARGS_MAX];
    int32_t fd;
    if (!get_args(env, info, 1, args) || !get_i32(env, args[0], "fd", &fd))
        return NULL;
    return make_i32(env, function(fd));
}

CALL(udp_port_call)
{
    return call_with_fd(env, info, udp_port);
}

CALL(udp_probe_call)
{
    return call_with_fd(env, info, udp_probe);
}

CALL(udp_hush_call)
{
    return call_with_fd(env, info, udp_hush);
}

CALL(udp_replace_call)
{
    napi_value args[ARGS_MAX];
    int32_t new_fd, old_fd;
    if (!get_args(env, info, 2, args) || !get_i32(env, args[0], "newFd", &new_fd) ||
        !get_i32(env, args[1], "oldFd", &old_fd))
        return NULL;
    return make_i32(env, udp_replace(new_fd, old_fd));
}

CALL(udp_mark_call)
{
    napi_value args[ARGS_MAX];
    int32_t fd;
    uint32_t mark;
    if (!get_args(env, info, 2, args) || !get_i32(env, args[0], "fd", &fd) ||
        !get_u32(env, args[1], "mark", &mark))
        return NULL;
    return make_i32(env, udp_mark(fd, mark));
}

CALL(udp_gro_call)
{
    napi_value args[ARGS_MAX];
    int32_t fd;
    bool on;
    if (!get_args(env, info, 2, args) || !get_i32(env, args[0], "fd", &fd) ||
        !get_bool(env, args[1], "on", &on))
        return NULL;
    return make_i32(env, udp_gro(fd, on));
}

bool get_address(napi_env env, napi_value value, const char *name, union address *out)
{
    uint8_t *bytes;
    size_t length;
    memset(out, 0, sizeof *out);
    if (!get_bytes(env, value, name, &bytes, &length))
        return false;
    if (length >= SOCKADDR_BYTES)
        memcpy(out->bytes, bytes, SOCKADDR_BYTES);
    return true;
}

CALL(udp_connect_call)
{
    napi_value args[ARGS_MAX];
    union address address;
    int32_t fd;
    if (!get_args(env, info, 2, args) || !get_i32(env, args[0], "fd", &fd) ||
        !get_address(env, args[1], "sockaddr", &address))
        return NULL;
    if (address_length(&address) == 0)
        return make_i32(env, -EINVAL);
    return make_i32(env, udp_connect(fd, &address));
}

CALL(filter_attach_call)
{
    napi_value args[ARGS_MAX];
    uint8_t *program;
    size_t length;
    int32_t fd;
    uint32_t kind;
    if (!get_args(env, info, 3, args) || !get_i32(env, args[0], "fd", &fd) ||
        !get_u32(env, args[1], "kind", &kind) ||
        !get_bytes(env, args[2], "program", &program, &length))
        return NULL;
    return make_i32(env, udp_filter(fd, kind == 1, program, length));
}

CALL(datagram_receive_call)
{
    napi_value args[ARGS_MAX];
    uint8_t *bytes, *meta;
    size_t length, meta_length;
    int32_t fd;
    if (!get_args(env, info, 3, args) || !get_i32(env, args[0], "fd", &fd) ||
        !get_bytes(env, args[1], "bytes", &bytes, &length) ||
        !get_bytes(env, args[2], "meta", &meta, &meta_length))
        return NULL;
    size_t room = length / DATAGRAM_BYTES;
    if (meta_length / DATAGRAM_META_BYTES < room)
        room = meta_length / DATAGRAM_META_BYTES;
    return make_i32(env, datagram_receive(fd, bytes, meta, room));
}

CALL(datagram_send_call)
{
    napi_value args[ARGS_MAX];
    union address to, local;
    uint8_t *bytes;
    size_t length;
    int32_t fd;
    if (!get_args(env, info, 4, args) || !get_i32(env, args[0], "fd", &fd) ||
        !get_bytes(env, args[1], "datagram", &bytes, &length) ||
        !get_address(env, args[2], "sockaddr", &to) ||
        !get_address(env, args[3], "local", &local))
        return NULL;
    return make_i32(env, datagram_send(fd, bytes, length, &to, &local));
}

void register_udp(napi_env env, napi_value exports)
{
    const struct call calls[] = {
        { "tunOpen", tun_open_call },           { "tunName", tun_name_call },
        { "tunUp", tun_up_call },
        { "tunOffload", tun_offload_call },     { "tunProbe", tun_probe_call },
        { "udpOpen", udp_open_call },           { "udpPort", udp_port_call },
        { "udpReplace", udp_replace_call },     { "udpHush", udp_hush_call },
        { "udpMark", udp_mark_call },           { "udpTaken", udp_taken_call },
        { "udpProbe", udp_probe_call },         { "udpGro", udp_gro_call },
        { "udpConnect", udp_connect_call },     { "filterAttach", filter_attach_call },
        { "datagramReceive", datagram_receive_call },{ "datagramSend", datagram_send_call },
        { "datagramPair", datagram_pair_call },
    };
    register_calls(env, exports, calls, sizeof calls / sizeof calls[0]);
}
