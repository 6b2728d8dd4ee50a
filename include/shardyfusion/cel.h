/* Expressions of the Common Expression Language by themselves. Include <shardyfusion/shardyfusion.h>. */
#ifndef SHF_CEL_H
#define SHF_CEL_H

#include "reader.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A compiled expression, the very one that readers and writers of a snapshot with this cel_expr use: for programs that want
 * to know where rows will go before they write them, or that spread work by the same rule. No runtime, no I/O. One thread at
 * a time uses it; several threads compile one each.
 */
typedef struct shf_expression shf_expression;

/*
 * Compiles `text` against `count` columns, of which `name` and `kind` are read; the array's stride is the struct_size of
 * the first (SHF_INIT). Everything is copied. *out is the caller's to free. error may be NULL; else it receives the reason
 * of a failure (the caller's to free) or NULL. Errors: INVALID (the expression does not compile, with the place in it; its
 * result is none of int, uint, string and bytes; a column without a name, with an unknown kind or given twice), NO_MEMORY.
 */
SHF_API shf_status shf_expression_compile(const char *text, const shf_column_info *columns, size_t count,
                                          shf_expression **out, shf_error **error);

/*
 * What the expression gives for the values of a context, which may have more than the columns: its kind is SHF_CONTEXT_INT,
 * _UINT, _TEXT or _BYTES, its name NULL. Bytes in it live until the next evaluation of this expression or its end. Text and
 * bytes of a context count up to their first NUL byte only, as in lookups. error as above. Errors: ROUTING (a column that is
 * read is missing or of another type, a number out of range, a division by zero: the message names the place), INVALID (no
 * context), NO_MEMORY.
 */
SHF_API shf_status shf_expression_evaluate(shf_expression *expression, const shf_routing_context *context,
                                           shf_context_value *out, shf_error **error);

/* NULL is fine. */
SHF_API void shf_expression_free(shf_expression *expression);

#ifdef __cplusplus
}
#endif
#endif
