/* addon_process.c — what concerns the whole process: privileges, descriptors; see addon.ts. */
#include <errno.h>
#include <stdlib.h>

#include "addon.h"
#include "handles.h"
#include "privileges.h"

#define CALL(name) static napi_value name(napi_env env, napi_callback_info info)

#define WORDS_MAX 256u
#define WORD_BYTES 4096u

CALL(privileges_excess_call)
{
    (void)info;
    return make_i32(env, privileges_excess());
}

static void free_words(char **words)
{
    for (size_t i = 0; words[i] != NULL; i++)
        free(words[i]);
    free(words);
}

/* An argv of its own from an array of strings; NULL after throwing. */
static char **get_words(napi_env env, napi_value array)
{
    uint32_t count = 0;
    if (napi_get_array_length(env, array, &count) != napi_ok || count == 0 || count > WORDS_MAX) {
        (void)napi_throw_type_error(env, NULL, "argv must be an array of 1 to 256 strings");
        return NULL;
    }
    char **words = calloc(count + 1u, sizeof *words);
    for (uint32_t i = 0; words != NULL && i < count; i++) {
        napi_value word;
        words[i] = calloc(1, WORD_BYTES);
        if (words[i] == NULL || napi_get_element(env, array, i, &word) != napi_ok ||
            !get_text(env, word, "argv", words[i], WORD_BYTES)) {
            free_words(words);
            return NULL;
        }
    }
    return words;
}

CALL(privileges_reexecute_call)
{
    napi_value args[ARGS_MAX];
    if (!get_args(env, info, 1, args))
        return NULL;
    char **words = get_words(env, args[0]);
    if (words == NULL)
        return NULL;
    int result = privileges_reexecute(words);
    free_words(words);
    return make_i32(env, result);
}

CALL(handles_close_on_exec_call)
{
    napi_value args[ARGS_MAX], one;
    int32_t keep[HANDLES_KEPT_MAX];
    uint32_t count = 0;
    if (!get_args(env, info, 1, args))
        return NULL;
    if (napi_get_array_length(env, args[0], &count) != napi_ok) {
        (void)napi_throw_type_error(env, NULL, "keep must be an array of descriptors");
        return NULL;
    }
    if (count > HANDLES_KEPT_MAX)
        return make_i32(env, -EINVAL);
    for (uint32_t i = 0; i < count; i++)
        if (napi_get_element(env, args[0], i, &one) != napi_ok ||
            !get_i32(env, one, "keep", &keep[i]))
            return NULL;
    return make_i32(env, handles_close_on_exec(keep, count));
}

void register_process(napi_env env, napi_value exports)
{
    const struct call calls[] = {
        { "privilegesExcess", privileges_excess_call },
        { "privilegesReexecute", privileges_reexecute_call },
        { "handlesCloseOnExec", handles_close_on_exec_call },
    };
    register_calls(env, exports, calls, sizeof calls / sizeof calls[0]);
}
