/* Routing tokens that rows were found to have, each once, numbered in the order of their first appearance. One thread at a time. */
#ifndef SHF_WRITER_TOKENS_H
#define SHF_WRITER_TOKENS_H

#include "base/budget.h"
#include "formats/cel/cel.h"

struct shf_tokens;

shf_status shf_tokens_new(struct shf_budget *budget, struct shf_tokens **out, struct shf_error **error);
void shf_tokens_free(struct shf_tokens *tokens); /* NULL is fine */

/*
 * The number of a token: int, uint up to INT64_MAX (which is the int then), string, or bytes that are UTF-8 (which are a
 * string then; all tokens come from one expression, so of one type). SHF_E_ROUTING: it can not stand in a manifest.
 * SHF_E_LIMIT: more than SHF_LIMIT_WRITER_SHARDS of them, or too long together.
 */
shf_status shf_tokens_number(struct shf_tokens *tokens, const struct shf_cel_value *token, uint32_t *number,
                             struct shf_error **error);
/* Some row in the snapshot has it: only such are listed. */
void shf_tokens_use(struct shf_tokens *tokens, uint32_t number);

/*
 * Those in use, in ascending order (integers by value, text by code points), and the number of each. The arrays are the
 * caller's to shf_free; what the values point at is the tokens'.
 */
shf_status shf_tokens_sorted(const struct shf_tokens *tokens, struct shf_cel_value **values, uint32_t **numbers,
                             uint32_t *count, struct shf_error **error);

#endif
