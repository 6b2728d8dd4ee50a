/* CEL: compiles the text before the first NUL, and evaluates it over columns made from what follows. */
#include "base/alloc.h"
#include "formats/cel/cel_route.h"
#include "fuzz_entry.h"

#include <string.h>

#define COLUMNS 6u

static const struct shf_cel_column columns[COLUMNS] = {
    {"key", SHF_CEL_INT, 0, 0},   {"u", SHF_CEL_UINT, 0, 0},   {"score", SHF_CEL_DOUBLE, 0, 0},
    {"flag", SHF_CEL_BOOL, 0, 0}, {"s", SHF_CEL_STRING, 0, 0}, {"y", SHF_CEL_BYTES, 0, 0},
};

/* Eight bytes a column, and a byte that says of what kind the host's value is. */
static void bind(const struct shf_cel *cel, const uint8_t *data, size_t size, struct shf_cel_value values[COLUMNS]) {
    shf_context_value hosts[COLUMNS];
    shf_routing_context context = {sizeof context, 0, hosts};
    for (uint32_t i = 0; i < COLUMNS && size >= 9; i++, data += 9, size -= 9) {
        shf_context_value *host = &hosts[context.count++];
        memset(host, 0, sizeof *host);
        host->name = columns[i].name;
        host->kind = data[0] % 8u;
        if (host->kind == SHF_CONTEXT_TEXT || host->kind == SHF_CONTEXT_BYTES) {
            host->as.bytes = (shf_slice){data + 1, size - 1};
        } else {
            memcpy(&host->as.uint_value, data + 1, 8);
        }
    }
    (void)shf_cel_bind_context(cel, &context, values);
}

static void evaluate_both_ways(const struct shf_cel *cel, const struct shf_cel_value *values) {
    struct shf_cel_scratch first, second;
    struct shf_cel_value a, b;
    struct shf_error *error = NULL;
    shf_cel_scratch_init(&first);
    shf_cel_scratch_init(&second);
    shf_status status = shf_cel_evaluate(cel, values, &first, &a, &error);
    shf_error_free(error);
    (void)shf_cel_evaluate(cel, values, &second, &b, NULL);
    if (shf_cel_evaluate(cel, values, &second, &b, NULL) != status) __builtin_trap();
    if (!status && (a.type != b.type || a.type != shf_cel_result_type(cel))) __builtin_trap();
    if (!status && (a.type == SHF_CEL_INT || a.type == SHF_CEL_UINT) && a.as.uinteger != b.as.uinteger)
        __builtin_trap();
    if (!status && (a.type == SHF_CEL_STRING || a.type == SHF_CEL_BYTES) &&
        (a.as.text.size != b.as.text.size || (a.as.text.size && memcmp(a.as.text.data, b.as.text.data, a.as.text.size)))) {
        __builtin_trap();
    }
    shf_cel_scratch_free(&first);
    shf_cel_scratch_free(&second);
}

static void route(const char *text, size_t size, const struct shf_cel_value *values, bool is_categorical) {
    static const struct shf_cel_value routing[] = {{SHF_CEL_STRING, {.text = {"eu", 2}}},
                                                   {SHF_CEL_STRING, {.text = {"", 0}}}};
    struct shf_cel_router *router;
    struct shf_cel_scratch scratch;
    uint32_t shard;
    if (shf_cel_router_new(text, size, columns, COLUMNS, is_categorical ? routing : NULL, 2, 4, &router, NULL)) return;
    shf_cel_scratch_init(&scratch);
    if (!shf_cel_route(router, values, &scratch, &shard, NULL, NULL) && shard >= 4 &&
        (!is_categorical || shard != SHF_CEL_UNKNOWN_TOKEN)) {
        __builtin_trap();
    }
    shf_cel_scratch_free(&scratch);
    shf_cel_router_free(router);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t text_size = nul ? (size_t)(nul - data) : size;
    struct shf_cel_value values[COLUMNS];
    struct shf_cel *cel = NULL;
    struct shf_error *error = NULL;
    char *text = shf_alloc(text_size); /* of exactly this size: what is read beyond it is seen */
    if (!text) return 0;
    if (text_size) memcpy(text, data, text_size);
    if (shf_cel_compile(text, text_size, columns, COLUMNS, &cel, &error)) {
        shf_error_free(error);
    } else {
        bind(cel, nul ? nul + 1 : data, nul ? size - text_size - 1 : 0, values);
        evaluate_both_ways(cel, values);
        route(text, text_size, values, text_size % 2 == 0);
        shf_cel_free(cel);
    }
    shf_free(text);
    return 0;
}
