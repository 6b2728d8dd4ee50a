#include "writer/sharder.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/text.h"
#include "formats/manifest_build.h"
#include "rt/struct_size.h"
#include "snapshot/routing.h"
#include "writer/tokens.h"

#include <inttypes.h>

struct shf_sharder {
    struct shf_manifest_cel cel;
    struct shf_cel_router *router; /* in direct mode also for inferred values: only its expression counts then */
    struct shf_cel_scratch scratch;
    uint32_t num_dbs; /* 0 = known at the end */
    bool needs_context;
    bool is_seen[SHF_LIMIT_WRITER_SHARDS]; /* direct, with num_dbs 0 */
    struct shf_tokens *tokens;             /* inferred values, else NULL; after finish: */
    struct shf_cel_value *values;          /* in order */
    uint32_t *numbers;                     /* of these */
    uint32_t value_count;
};

/* ---- beginning ---- */

static shf_status choose_num_dbs(struct shf_sharder *sharder, const struct shf_sharder_options *options,
                                 struct shf_error **error) {
    size_t count = sharder->cel.routing_count;
    sharder->num_dbs = options->num_dbs;
    if (!sharder->cel.routing_values) return SHF_OK;
    if (count > SHF_LIMIT_WRITER_SHARDS) {
        return shf_error_set(error, SHF_E_LIMIT, "%zu routing values, of which each has a shard; at most %u", count,
                             SHF_LIMIT_WRITER_SHARDS);
    }
    uint32_t num_dbs = count ? (uint32_t)count : 1;
    if (options->num_dbs && options->num_dbs != num_dbs) {
        return shf_error_set(error, SHF_E_INVALID,
                             "num_dbs is %" PRIu32 ", but %zu routing values make %" PRIu32
                             " shards; leave num_dbs out",
                             options->num_dbs, count, num_dbs);
    }
    sharder->num_dbs = num_dbs;
    return SHF_OK;
}

/* A result of another type is none of the values: no row could be written. */
static shf_status check_types(const struct shf_sharder *sharder, struct shf_error **error) {
    enum shf_cel_type type = shf_cel_result_type(shf_cel_router_expression(sharder->router));
    if (!sharder->cel.routing_count) return SHF_OK;
    bool gives_integers = type == SHF_CEL_INT || type == SHF_CEL_UINT;
    bool are_integers = sharder->cel.routing_values[0].type == SHF_CEL_INT;
    if (gives_integers == are_integers) return SHF_OK;
    return shf_error_set(error, SHF_E_INVALID,
                         "the routing values are %s, but the result of the expression is of type %s",
                         are_integers ? "integers" : "texts", shf_cel_type_name(type));
}

shf_status shf_sharder_new(const struct shf_sharder_options *options, struct shf_sharder **out, struct shf_error **error) {
    struct shf_sharder *sharder = shf_alloc_zero(1, sizeof *sharder);
    if (!sharder) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a CEL expression");
    shf_cel_scratch_init(&sharder->scratch);
    sharder->needs_context = options->needs_context;
    shf_status status =
        shf_manifest_cel_take(options->expression, options->columns, options->routing_values, &sharder->cel, error);
    if (!status) status = choose_num_dbs(sharder, options, error);
    if (!status) {
        uint32_t num_dbs = sharder->num_dbs ? sharder->num_dbs : SHF_LIMIT_WRITER_SHARDS;
        status = shf_routing_compile(&sharder->cel, num_dbs, &sharder->router, error);
    }
    if (!status) status = check_types(sharder, error);
    if (!status && options->infers) status = shf_tokens_new(options->budget, &sharder->tokens, error);
    if (status) {
        shf_sharder_free(sharder);
        return status;
    }
    *out = sharder;
    return SHF_OK;
}

void shf_sharder_free(struct shf_sharder *sharder) {
    if (!sharder) return;
    shf_manifest_cel_free(&sharder->cel);
    shf_cel_router_free(sharder->router);
    shf_cel_scratch_free(&sharder->scratch);
    shf_free(sharder->values);
    shf_free(sharder->numbers);
    shf_tokens_free(sharder->tokens);
    shf_free(sharder);
}

/* ---- rows ---- */

static shf_status need_context(const struct shf_cel *cel, struct shf_error **error) {
    struct shf_text names = {0};
    for (size_t i = 0; i < shf_cel_column_count(cel) && names.size < 256; i++) {
        if (i) shf_text_add_string(&names, ", ");
        shf_text_add_string(&names, shf_cel_column_name(cel, i));
    }
    char *text = shf_text_take(&names);
    shf_status status =
        shf_error_set(error, SHF_E_INVALID, "the row has no routing context; the expression decides by the columns %s",
                      text ? text : "that were declared");
    shf_free(text);
    return status;
}

/* The context alone where there is one, as in a lookup; else the key. */
static shf_status bind(const struct shf_sharder *sharder, const shf_row *row, struct shf_cel_value *columns,
                       bool *is_cut, struct shf_error **error) {
    const struct shf_cel *cel = shf_cel_router_expression(sharder->router);
    shf_routing_context context;
    if (!row->context) {
        if (sharder->needs_context || !shf_cel_router_takes_key(sharder->router)) return need_context(cel, error);
        *is_cut = shf_cel_bind_key(shf_cel_column_type(cel, 0), &row->key, columns);
        return SHF_OK;
    }
    shf_status status = shf_struct_copy(&context, sizeof context, row->context);
    if (status || (context.count && !context.values)) {
        return shf_error_set(error, SHF_E_INVALID, "the routing context has a struct_size or values that are none");
    }
    *is_cut = shf_cel_bind_context(cel, &context, columns);
    return SHF_OK;
}

shf_status shf_sharder_place(struct shf_sharder *sharder, const shf_row *row, uint32_t *place, bool *is_cut,
                             struct shf_error **error) {
    struct shf_cel_value columns[SHF_LIMIT_CEL_COLUMNS], token;
    shf_status status = bind(sharder, row, columns, is_cut, error);
    if (status) return status;
    if (sharder->tokens) {
        status = shf_cel_evaluate(shf_cel_router_expression(sharder->router), columns, &sharder->scratch, &token, error);
        return status ? status : shf_tokens_number(sharder->tokens, &token, place, error);
    }
    uint32_t shard = 0;
    status = shf_cel_route(sharder->router, columns, &sharder->scratch, &shard, &token, error);
    if (!status && shard == SHF_CEL_UNKNOWN_TOKEN) status = shf_cel_unknown_token(&token, error);
    if (!status) *place = shard;
    return status;
}

void shf_sharder_use(struct shf_sharder *sharder, uint32_t place) {
    if (sharder->tokens) {
        shf_tokens_use(sharder->tokens, place);
    } else {
        sharder->is_seen[place] = true;
    }
}

/* ---- the end ---- */

/* Nobody could tell the numbers that are left out from rows that were lost. */
static shf_status count_shards(const struct shf_sharder *sharder, uint32_t *num_dbs, struct shf_error **error) {
    uint32_t count = 0, missing = 0;
    for (uint32_t i = 0; i < SHF_LIMIT_WRITER_SHARDS; i++) {
        if (sharder->is_seen[i]) count = i + 1;
    }
    while (missing < count && sharder->is_seen[missing]) missing++;
    if (missing < count) {
        return shf_error_set(error, SHF_E_ROUTING,
                             "the expression gives shards up to %" PRIu32 ", but no row belongs to shard %" PRIu32
                             "; it must give numbers without gaps, or num_dbs must say how many shards there are",
                             count - 1, missing);
    }
    *num_dbs = count ? count : 1;
    return SHF_OK;
}

shf_status shf_sharder_finish(struct shf_sharder *sharder, uint32_t *num_dbs, struct shf_error **error) {
    if (sharder->tokens) {
        shf_status status =
            shf_tokens_sorted(sharder->tokens, &sharder->values, &sharder->numbers, &sharder->value_count, error);
        if (!status) *num_dbs = sharder->value_count ? sharder->value_count : 1;
        return status;
    }
    if (!sharder->num_dbs) return count_shards(sharder, num_dbs, error);
    *num_dbs = sharder->num_dbs;
    return SHF_OK;
}

uint32_t shf_sharder_place_of(const struct shf_sharder *sharder, uint32_t shard) {
    return sharder->numbers && shard < sharder->value_count ? sharder->numbers[shard] : shard;
}

const struct shf_manifest_cel *shf_sharder_cel(const struct shf_sharder *sharder, const struct shf_cel_value **values,
                                               size_t *count) {
    *values = sharder->tokens ? sharder->values : sharder->cel.routing_values;
    *count = sharder->tokens ? sharder->value_count : sharder->cel.routing_count;
    return &sharder->cel;
}

shf_status shf_sharder_text(const struct shf_sharder *sharder, char **out, struct shf_error **error) {
    const struct shf_cel_value *values;
    size_t count;
    const struct shf_manifest_cel *cel = shf_sharder_cel(sharder, &values, &count);
    return shf_manifest_cel_build(cel, values, count, out, error);
}
