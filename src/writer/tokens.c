#include "writer/tokens.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64u

struct token {
    struct shf_cel_value value; /* SHF_CEL_INT or _STRING, whose text is owned */
    uint64_t hash;
    bool is_used;
};

struct shf_tokens {
    struct shf_budget *budget;
    uint64_t charged;
    uint64_t text_bytes;
    struct token *items;
    uint32_t count, limit; /* the limit is half of the slots */
    uint32_t *slots;       /* number + 1; 0 = free */
};

static shf_status no_memory(struct shf_error **error) {
    return shf_error_set(error, SHF_E_NO_MEMORY,
                         "no memory for the routing values of the rows; raise memory_budget_bytes");
}

shf_status shf_tokens_new(struct shf_budget *budget, struct shf_tokens **out, struct shf_error **error) {
    struct shf_tokens *tokens = shf_alloc_zero(1, sizeof *tokens);
    if (!tokens) return no_memory(error);
    tokens->budget = budget;
    *out = tokens;
    return SHF_OK;
}

void shf_tokens_free(struct shf_tokens *tokens) {
    if (!tokens) return;
    for (uint32_t i = 0; i < tokens->count; i++) {
        if (tokens->items[i].value.type == SHF_CEL_STRING)
            shf_free((void *)(uintptr_t)tokens->items[i].value.as.text.data);
    }
    shf_free(tokens->items);
    shf_free(tokens->slots);
    shf_budget_give(tokens->budget, tokens->charged);
    shf_free(tokens);
}

/* As it stands in a manifest. */
static shf_status normalize(const struct shf_cel_value *token, struct shf_cel_value *out, struct shf_error **error) {
    *out = *token;
    if (token->type == SHF_CEL_UINT) {
        if (token->as.uinteger > INT64_MAX) {
            return shf_error_set(error, SHF_E_ROUTING,
                                 "the routing token %" PRIu64
                                 " is above 9223372036854775807, the largest integer that a "
                                 "routing value can be",
                                 token->as.uinteger);
        }
        out->type = SHF_CEL_INT;
        out->as.integer = (int64_t)token->as.uinteger;
    } else if (token->type == SHF_CEL_BYTES) {
        if (!shf_utf8_valid(token->as.text.size ? token->as.text.data : "", token->as.text.size)) {
            return shf_error_set(error, SHF_E_ROUTING,
                                 "the routing token is bytes that are not valid UTF-8, which a manifest can not hold");
        }
        out->type = SHF_CEL_STRING;
    }
    return SHF_OK;
}

static uint64_t hash_of(const struct shf_cel_value *value) {
    if (value->type == SHF_CEL_INT) return shf_hash64(&value->as.integer, sizeof value->as.integer);
    return shf_hash64(value->as.text.size ? value->as.text.data : "", value->as.text.size);
}

static int compare(const struct shf_cel_value *a, const struct shf_cel_value *b) {
    if (a->type == SHF_CEL_INT) return (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer);
    size_t shorter = a->as.text.size < b->as.text.size ? a->as.text.size : b->as.text.size;
    int order = shorter ? memcmp(a->as.text.data, b->as.text.data, shorter) : 0;
    return order ? order : (a->as.text.size > b->as.text.size) - (a->as.text.size < b->as.text.size);
}

/* The slot that has the token, or the free one where it belongs. There are slots, and not all are taken. */
static uint32_t *find(const struct shf_tokens *tokens, const struct shf_cel_value *value, uint64_t hash) {
    uint32_t mask = 2 * tokens->limit - 1;
    for (uint32_t at = (uint32_t)hash & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &tokens->slots[at];
        if (!*slot) return slot;
        const struct token *item = &tokens->items[*slot - 1];
        if (item->hash == hash && compare(&item->value, value) == 0) return slot;
    }
}

static shf_status grow(struct shf_tokens *tokens, struct shf_error **error) {
    uint32_t limit = tokens->limit ? 2 * tokens->limit : FIRST_SLOTS / 2;
    uint64_t more = (limit - tokens->limit) * (sizeof *tokens->items + 2 * sizeof *tokens->slots);
    if (!shf_budget_take(tokens->budget, more)) return no_memory(error);
    tokens->charged += more;
    uint32_t *slots = shf_alloc_zero(2 * (size_t)limit, sizeof *slots);
    struct token *items = slots ? shf_realloc_array(tokens->items, limit, sizeof *items) : NULL;
    if (!items) {
        shf_free(slots);
        return no_memory(error);
    }
    tokens->items = items;
    shf_free(tokens->slots);
    tokens->slots = slots;
    tokens->limit = limit;
    for (uint32_t i = 0; i < tokens->count; i++) *find(tokens, &items[i].value, items[i].hash) = i + 1;
    return SHF_OK;
}

static shf_status copy_text(struct shf_tokens *tokens, struct shf_cel_value *value, struct shf_error **error) {
    size_t size = value->as.text.size;
    if (value->type != SHF_CEL_STRING) return SHF_OK;
    if (size > SHF_LIMIT_JSON_BYTES - tokens->text_bytes) {
        return shf_error_set(error, SHF_E_LIMIT,
                             "the routing values of the rows have more than %u bytes together; route by shorter ones",
                             SHF_LIMIT_JSON_BYTES);
    }
    uint64_t cost = shf_alloc_cost(size);
    if (!shf_budget_take(tokens->budget, cost)) return no_memory(error);
    tokens->charged += cost;
    void *copy = size ? shf_memdup(value->as.text.data, size) : shf_alloc(0);
    if (!copy) return no_memory(error);
    value->as.text.data = copy;
    tokens->text_bytes += size;
    return SHF_OK;
}

shf_status shf_tokens_number(struct shf_tokens *tokens, const struct shf_cel_value *token, uint32_t *number,
                             struct shf_error **error) {
    struct shf_cel_value value;
    shf_status status = normalize(token, &value, error);
    if (status) return status;
    uint64_t hash = hash_of(&value);
    uint32_t *slot = tokens->limit ? find(tokens, &value, hash) : NULL;
    if (slot && *slot) {
        *number = *slot - 1;
        return SHF_OK;
    }
    if (tokens->count == SHF_LIMIT_WRITER_SHARDS) {
        return shf_error_set(
            error, SHF_E_LIMIT,
            "the rows have more than %u routing values, and each has a shard of its own; route by fewer",
            SHF_LIMIT_WRITER_SHARDS);
    }
    if (tokens->count == tokens->limit) status = grow(tokens, error);
    if (!status) status = copy_text(tokens, &value, error);
    if (status) return status;
    slot = find(tokens, &value, hash);
    tokens->items[tokens->count] = (struct token){.value = value, .hash = hash};
    *number = tokens->count++;
    *slot = tokens->count;
    return SHF_OK;
}

void shf_tokens_use(struct shf_tokens *tokens, uint32_t number) { tokens->items[number].is_used = true; }

/* ---- in order ---- */

struct numbered {
    const struct shf_cel_value *value;
    uint32_t number;
};

static int compare_numbered(const void *left, const void *right) {
    return compare(((const struct numbered *)left)->value, ((const struct numbered *)right)->value);
}

shf_status shf_tokens_sorted(const struct shf_tokens *tokens, struct shf_cel_value **values, uint32_t **numbers,
                             uint32_t *count, struct shf_error **error) {
    struct numbered *sorted = shf_alloc_array((size_t)tokens->count + 1, sizeof *sorted);
    struct shf_cel_value *value = shf_alloc_array((size_t)tokens->count + 1, sizeof *value);
    uint32_t *number = shf_alloc_array((size_t)tokens->count + 1, sizeof *number), used = 0;
    if (!sorted || !value || !number) {
        shf_free(sorted);
        shf_free(value);
        shf_free(number);
        return no_memory(error);
    }
    for (uint32_t i = 0; i < tokens->count; i++) {
        if (tokens->items[i].is_used) sorted[used++] = (struct numbered){&tokens->items[i].value, i};
    }
    qsort(sorted, used, sizeof *sorted, compare_numbered);
    for (uint32_t i = 0; i < used; i++) {
        value[i] = *sorted[i].value;
        number[i] = sorted[i].number;
    }
    shf_free(sorted);
    *values = value;
    *numbers = number;
    *count = used;
    return SHF_OK;
}
