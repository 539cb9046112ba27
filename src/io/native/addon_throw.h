/* addon_throw.h — for the few calls whose result has no room for an errno. */
#ifndef P2PVPN_ADDON_THROW_H
#define P2PVPN_ADDON_THROW_H

#include <node_api.h>

/* Throws an Error whose `code` is the name of the errno, e.g. "EBADF". Returns NULL. */
napi_value throw_errno(napi_env env, int negative_errno);

#endif
