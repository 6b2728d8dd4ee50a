/* A lookup in every way that there is; they must agree, whatever the bytes are. */
#ifndef SHF_FUZZ_EVERY_WAY_H
#define SHF_FUZZ_EVERY_WAY_H

#include "formats/kv_separators.h"

static inline void must_agree(shf_status status, shf_status other, bool found, bool other_found,
                              const struct shf_kv_value *value, const struct shf_kv_value *other_value) {
    if (status != other) __builtin_trap();
    if (status) return;
    if (found != other_found) __builtin_trap();
    if (!found) return;
    if (value->size != other_value->size || value->in_place != other_value->in_place) __builtin_trap();
}

/* separators: of this table, or NULL. */
static inline shf_status get_every_way(const struct shf_kv *kv, const struct shf_kv_separators *separators,
                                       const void *key, size_t size, bool *found, struct shf_kv_value *value,
                                       struct shf_error **error) {
    shf_status status = shf_kv_get(kv, NULL, key, size, found, value, error);
    struct shf_kv_value other_value;
    bool other_found = false;
    size_t failed;
    shf_status other = shf_kv_get(kv, separators, key, size, &other_found, &other_value, NULL);
    must_agree(status, other, *found, other_found, value, &other_value);
    struct shf_kv_probe probes[19];
    for (size_t i = 0; i < 19; i++)
        probes[i] = (struct shf_kv_probe){kv, i % 2 ? separators : NULL, key, size, true, {0}};
    other = shf_kv_get_many(probes, 19, &failed, NULL);
    for (size_t i = 0; i < 19; i++) must_agree(status, other, *found, probes[i].found, value, &probes[i].value);
    return status;
}

#endif
