/* addon_names.c — names, asked for by threads of their own; see names.h and addon.ts. */
#include "addon.h"
#include "names.h"

/* nameAsk(fd, id, name): the answer comes to fd; see names.h. */
static napi_value call_name_ask(napi_env env, napi_callback_info info)
{
    napi_value args[ARGS_MAX];
    char name[NAMES_NAME_BYTES];
    int32_t fd;
    uint32_t id;
    if (!get_args(env, info, 3, args) || !get_i32(env, args[0], "fd", &fd))
        return NULL;
    if (!get_u32(env, args[1], "id", &id))
        return NULL;
    if (!get_text(env, args[2], "name", name, sizeof name))
        return NULL;
    return make_i32(env, names_ask(name, id, fd));
}

static const struct call CALLS[] = {
    {"nameAsk", call_name_ask},
};

void register_names(napi_env env, napi_value exports)
{
    register_calls(env, exports, CALLS, sizeof CALLS / sizeof CALLS[0]);
}
