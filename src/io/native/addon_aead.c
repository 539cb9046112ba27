/* addon_aead.c — AEAD over a job, BLAKE2s; see addon.ts. */
#include <errno.h>

#include "addon.h"
#include "aead.h"
#include "blake2s.h"
#include "job.h"

#define CALL(name) static napi_value name(napi_env env, napi_callback_info info)

CALL(crypto_probe_call)
{
    napi_value result, hardware;
    (void)info;
    struct instance *instance = instance_of(env);
    if (napi_create_object(env, &result) != napi_ok ||
        napi_get_boolean(env, aead_hardware(), &hardware) != napi_ok ||
        napi_set_named_property(env, result, "aesHardware", hardware) != napi_ok ||
        napi_set_named_property(env, result, "openssl",
                                make_text(env, aead_version(instance->aead))) != napi_ok)
        return NULL;
    return result;
}

CALL(seal_call)
{
    napi_value args[ARGS_MAX];
    struct aead_batch batch;
    uint32_t index;
    if (!get_args(env, info, 1, args) || !get_u32(env, args[0], "job", &index))
        return NULL;
    struct instance *instance = instance_of(env);
    uint8_t *job = job_entry(&instance->arena, index);
    if (!job_batch(&instance->arena, job, true, &batch))
        return make_i32(env, -EINVAL);
    return make_i32(env, aead_seal(instance->aead, &batch));
}

CALL(open_call)
{
    napi_value args[ARGS_MAX];
    struct aead_batch batch;
    uint64_t failed = UINT64_MAX;
    uint32_t index;
    if (!get_args(env, info, 1, args) || !get_u32(env, args[0], "job", &index))
        return NULL;
    struct instance *instance = instance_of(env);
    uint8_t *job = job_entry(&instance->arena, index);
    if (!job_batch(&instance->arena, job, false, &batch))
        return make_i32(env, -EINVAL);
    int result = aead_open_batch(instance->aead, &batch, &failed);
    store32(job + JOB_FAILED_LOW, (uint32_t)failed);
    store32(job + JOB_FAILED_HIGH, (uint32_t)(failed >> 32));
    return make_i32(env, result);
}

CALL(blake2s_mac_call)
{
    napi_value args[ARGS_MAX];
    uint8_t *out, *key, *data;
    size_t out_length, key_length, length;
    if (!get_args(env, info, 3, args) || !get_bytes(env, args[0], "out", &out, &out_length) ||
        !get_bytes(env, args[1], "key", &key, &key_length) ||
        !get_bytes(env, args[2], "data", &data, &length))
        return NULL;
    return make_i32(env, blake2s_mac(out, out_length, key, key_length, data, length));
}

void register_aead(napi_env env, napi_value exports)
{
    const struct call calls[] = {
        { "cryptoProbe", crypto_probe_call }, { "seal", seal_call },
        { "open", open_call },                { "blake2sMac", blake2s_mac_call },
    };
    register_calls(env, exports, calls, sizeof calls / sizeof calls[0]);
}
