#include "snapshot/routing.h"

#include "base/alloc.h"
#include "base/text.h"
#include "snapshot/router.h"

#include <assert.h>
#include <string.h>

/* ---- compiling ---- */

static shf_status read_columns(const struct shf_manifest_cel_column *given, size_t count,
                               struct shf_cel_column *columns, struct shf_error **error) {
    for (size_t i = 0; i < count; i++) {
        columns[i] = (struct shf_cel_column){.name = given[i].name, .type = shf_cel_type_parse(given[i].type)};
        if (columns[i].type != SHF_CEL_ABSENT) continue;
        return shf_error_set(error, SHF_E_INVALID,
                             "column %.64s of cel_columns has the type \"%.64s\"; known are int, uint, double, bool, "
                             "string and bytes",
                             given[i].name, given[i].type);
    }
    return SHF_OK;
}

shf_status shf_routing_compile(const struct shf_manifest_cel *cel, uint32_t num_dbs, struct shf_cel_router **out,
                               struct shf_error **error) {
    struct shf_cel_column *columns = shf_alloc_array(cel->column_count, sizeof *columns);
    if (!columns) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the columns of an expression");
    shf_status status = read_columns(cel->columns, cel->column_count, columns, error);
    if (!status) {
        status = shf_cel_router_new(cel->expression, strlen(cel->expression), columns, cel->column_count,
                                    cel->routing_values, cel->routing_count, num_dbs, out, error);
    }
    shf_free(columns);
    return status;
}

static void read_value(const struct shf_manifest_token *token, struct shf_cel_value *out) {
    if (token->kind == SHF_TOKEN_INTEGER) {
        *out = (struct shf_cel_value){.type = SHF_CEL_INT, .as.integer = token->integer};
        return;
    }
    out->type = token->kind == SHF_TOKEN_TEXT ? SHF_CEL_STRING : SHF_CEL_BYTES;
    out->as.text = (shf_slice){token->data, token->size};
}

shf_status shf_routing_compile_vectors(const struct shf_manifest_routing *routing, uint32_t num_dbs,
                                       struct shf_cel_router **out, struct shf_error **error) {
    struct shf_manifest_cel cel = {
        .expression = routing->cel_expr, .columns = routing->cel_columns, .column_count = routing->cel_column_count};
    assert(routing->cel_expr && routing->cel_column_count);
    if (routing->has_routing_values) {
        cel.routing_count = routing->routing_value_count;
        cel.routing_values = shf_alloc_array(cel.routing_count + 1, sizeof *cel.routing_values);
        if (!cel.routing_values) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for routing values");
        for (size_t i = 0; i < cel.routing_count; i++) read_value(&routing->routing_values[i], &cel.routing_values[i]);
    }
    shf_status status = shf_routing_compile(&cel, num_dbs, out, error);
    shf_free(cel.routing_values);
    return status;
}

/* ---- routing ---- */

void shf_routing_begin(struct shf_routing *routing, uint32_t num_dbs, const struct shf_cel_router *cel,
                       const shf_routing_context *context) {
    routing->num_dbs = num_dbs;
    routing->cel = cel;
    if (!cel) return; /* the rest is not looked at */
    routing->context = context;
    routing->is_decided = false;
    shf_cel_scratch_init(&routing->scratch);
}

void shf_routing_end(struct shf_routing *routing) {
    if (routing->cel) shf_cel_scratch_free(&routing->scratch);
}

/* The columns, for the message: "region, tier". */
static shf_status need_context(const struct shf_routing *routing, struct shf_error **error) {
    const struct shf_cel *cel = shf_cel_router_expression(routing->cel);
    struct shf_text names = {0};
    for (size_t i = 0; i < shf_cel_column_count(cel) && names.size < 256; i++) {
        if (i) shf_text_add_string(&names, ", ");
        shf_text_add_string(&names, shf_cel_column_name(cel, i));
    }
    char *text = shf_text_take(&names);
    shf_status status = shf_error_set(
        error, SHF_E_INVALID, "the snapshot is sharded by a CEL expression; give a routing_context with the columns %s",
        text ? text : "that its manifest declares");
    shf_free(text);
    return status;
}

shf_status shf_routing_of_context(struct shf_routing *routing, uint32_t *shard, struct shf_error **error) {
    struct shf_cel_value columns[SHF_LIMIT_CEL_COLUMNS];
    assert(routing->cel && routing->context);
    if (!routing->is_decided) {
        (void)shf_cel_bind_context(shf_cel_router_expression(routing->cel), routing->context, columns);
        shf_status status =
            shf_cel_route(routing->cel, columns, &routing->scratch, &routing->shard, &routing->token, error);
        if (status) return status;
        routing->is_decided = true;
    }
    *shard = routing->shard;
    return SHF_OK;
}

shf_status shf_routing_of_key(struct shf_routing *routing, const shf_key *key, uint32_t *shard, struct shf_error **error) {
    if (!routing->cel) return shf_route_by_hash(routing->num_dbs, key, shard, error);
    shf_status status = shf_key_check(key, error);
    if (status) return status;
    if (routing->context) return shf_routing_of_context(routing, shard, error);
    if (!shf_cel_router_takes_key(routing->cel)) return need_context(routing, error);
    struct shf_cel_value column;
    (void)shf_cel_bind_key(shf_cel_column_type(shf_cel_router_expression(routing->cel), 0), key, &column);
    return shf_cel_route(routing->cel, &column, &routing->scratch, shard, &routing->token, error);
}

shf_status shf_routing_unknown(const struct shf_routing *routing, struct shf_error **error) {
    return shf_cel_unknown_token(&routing->token, error);
}

shf_status shf_routing_once(const struct shf_cel_router *cel, const shf_routing_context *context, uint32_t *shard,
                            struct shf_error **error) {
    struct shf_routing routing;
    shf_routing_begin(&routing, 0, cel, context);
    shf_status status = shf_routing_of_context(&routing, shard, error);
    if (!status && *shard == SHF_CEL_UNKNOWN_TOKEN) status = shf_routing_unknown(&routing, error);
    shf_routing_end(&routing);
    return status;
}
