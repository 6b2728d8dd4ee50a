/* Expressions by themselves: no runtime, no snapshot. */
#include "api/call.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "shardyfusion/cel.h"
#include "snapshot/routing.h"

#include <string.h>

struct shf_expression {
    struct shf_cel_router *router; /* without routing values; its expression is what counts */
    struct shf_cel_scratch scratch;
    struct shf_cel_value columns[]; /* of the evaluation under way */
};

static shf_status no_memory(struct shf_error **error) {
    return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for an expression");
}

/* ---- compile ---- */

static shf_status column_from(const shf_column_info *given, size_t index, struct shf_cel_column *out,
                              struct shf_error **error) {
    static const enum shf_cel_type types[] = {
        [SHF_CONTEXT_INT] = SHF_CEL_INT,   [SHF_CONTEXT_UINT] = SHF_CEL_UINT,   [SHF_CONTEXT_DOUBLE] = SHF_CEL_DOUBLE,
        [SHF_CONTEXT_BOOL] = SHF_CEL_BOOL, [SHF_CONTEXT_TEXT] = SHF_CEL_STRING, [SHF_CONTEXT_BYTES] = SHF_CEL_BYTES};
    shf_column_info column;
    shf_status status = shf_struct_copy(&column, sizeof column, given);
    if (status) return shf_error_set(error, status, "column %zu: struct_size is wrong; use SHF_INIT", index);
    if (!column.name) return shf_error_set(error, SHF_E_INVALID, "column %zu has no name", index);
    if (column.kind < SHF_CONTEXT_INT || column.kind > SHF_CONTEXT_BYTES)
        return shf_error_set(error, SHF_E_INVALID, "column %.64s has the kind %u; use one of SHF_CONTEXT_*",
                             column.name, (unsigned int)column.kind);
    *out = (struct shf_cel_column){.name = column.name, .type = types[column.kind]};
    return SHF_OK;
}

static shf_status columns_from(const shf_column_info *given, size_t count, struct shf_cel_column *out,
                               struct shf_error **error) {
    for (size_t i = 0, stride = count ? given->struct_size : 0; i < count; i++) {
        const shf_column_info *column = (const shf_column_info *)(const void *)((const char *)given + i * stride);
        shf_status status = column_from(column, i, &out[i], error);
        if (status) return status;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(out[j].name, out[i].name) == 0)
                return shf_error_set(error, SHF_E_INVALID, "column %.64s is given twice", out[i].name);
        }
    }
    return SHF_OK;
}

static shf_status compile(const char *text, const shf_column_info *given, size_t count, shf_expression **out,
                          struct shf_error **error) {
    if (count > SHF_LIMIT_CEL_COLUMNS)
        return shf_error_set(error, SHF_E_INVALID, "%zu columns; an expression has at most %u", count,
                             (unsigned int)SHF_LIMIT_CEL_COLUMNS);
    shf_expression *made = shf_alloc_zero(1, sizeof *made + count * sizeof *made->columns);
    struct shf_cel_column *columns = shf_alloc_array(count, sizeof *columns);
    shf_status status = made && columns ? columns_from(given, count, columns, error) : no_memory(error);
    if (!status)
        status = shf_cel_router_new(text, strlen(text), columns, count, NULL, 0, UINT32_MAX, &made->router, error);
    shf_free(columns);
    if (status) {
        shf_free(made);
        return status;
    }
    shf_cel_scratch_init(&made->scratch);
    *out = made;
    return SHF_OK;
}

shf_status shf_expression_compile(const char *text, const shf_column_info *columns, size_t count, shf_expression **out,
                                  shf_error **error) {
    if (error) *error = NULL;
    if (!text || !out || (count && !columns)) return SHF_E_INVALID;
    return compile(text, columns, count, out, error);
}

void shf_expression_free(shf_expression *expression) {
    if (!expression) return;
    shf_cel_scratch_free(&expression->scratch);
    shf_cel_router_free(expression->router);
    shf_free(expression);
}

/* ---- evaluate ---- */

/* The compiler has let no other types through. */
static void value_from(const struct shf_cel_value *value, shf_context_value *out) {
    *out = (shf_context_value){0};
    if (value->type == SHF_CEL_INT) {
        out->kind = SHF_CONTEXT_INT;
        out->as.int_value = value->as.integer;
    } else if (value->type == SHF_CEL_UINT) {
        out->kind = SHF_CONTEXT_UINT;
        out->as.uint_value = value->as.uinteger;
    } else {
        out->kind = value->type == SHF_CEL_STRING ? SHF_CONTEXT_TEXT : SHF_CONTEXT_BYTES;
        out->as.bytes = value->as.text;
    }
}

shf_status shf_expression_evaluate(shf_expression *expression, const shf_routing_context *context,
                                   shf_context_value *out, shf_error **error) {
    if (error) *error = NULL;
    if (!expression || !context || !out || shf_context_check(context)) return SHF_E_INVALID;
    const struct shf_cel *cel = shf_cel_router_expression(expression->router);
    struct shf_cel_value value;
    (void)shf_cel_bind_context(cel, context, expression->columns); /* that text was cut is no news here */
    shf_status status = shf_cel_evaluate(cel, expression->columns, &expression->scratch, &value, error);
    if (!status) value_from(&value, out);
    return status;
}
