/* To which shard rows go by an expression: tokens and their order, and every allocation that fails once, in turn. */
#include "base/alloc.h"
#include "base/limits.h"
#include "writer/sharder.h"
#include "writer/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned calls, failing, live; /* the failing-th allocation fails; 0: none does */

static void *allocate(size_t size) {
    if (++calls == failing) return NULL;
    live++;
    return malloc(size);
}
static void *reallocate(void *old, size_t size) {
    if (++calls == failing) return NULL;
    live += old == NULL;
    return realloc(old, size);
}
static void release(void *memory) {
    live -= memory != NULL;
    free(memory);
}

static int begin(void **state) {
    static const struct shf_alloc_seam seam = {allocate, reallocate, release};
    (void)state;
    shf_alloc_set_seam(&seam);
    return 0;
}
static int end(void **state) {
    (void)state;
    shf_alloc_set_seam(NULL);
    return live ? -1 : 0;
}

static struct shf_cel_value text(const char *data, size_t size) {
    return (struct shf_cel_value){.type = SHF_CEL_STRING, .as.text = {data, size}};
}

/* ---- tokens ---- */

static struct shf_tokens *tokens_new(struct shf_budget *budget) {
    struct shf_tokens *tokens = NULL;
    assert_int_equal(shf_tokens_new(budget, &tokens, NULL), SHF_OK);
    return tokens;
}

/* Thousands, twice over: numbers stay, the order is that of the integers. */
static void test_many_tokens(void **state) {
    enum { MANY = 5000 };
    (void)state;
    struct shf_budget budget;
    shf_budget_init(&budget, 16 << 20);
    struct shf_tokens *tokens = tokens_new(&budget);
    for (uint32_t turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < MANY; i++) {
            uint32_t number = MANY;
            const struct shf_cel_value value = {.type = SHF_CEL_INT,
                                                .as.integer = (int64_t)(i * 2654435761u) - 2000000000};
            assert_int_equal(shf_tokens_number(tokens, &value, &number, NULL), SHF_OK);
            assert_int_equal(number, i);
            if (i % 2) shf_tokens_use(tokens, number);
        }
    }
    struct shf_cel_value *values;
    uint32_t *numbers, count;
    assert_int_equal(shf_tokens_sorted(tokens, &values, &numbers, &count, NULL), SHF_OK);
    assert_int_equal(count, MANY / 2);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(numbers[i] % 2, 1);
        assert_int_equal(values[i].as.integer, (int64_t)(numbers[i] * 2654435761u) - 2000000000);
        if (i) assert_true(values[i - 1].as.integer < values[i].as.integer);
    }
    shf_free(values);
    shf_free(numbers);
    shf_tokens_free(tokens);
    assert_int_equal(atomic_load(&budget.used_bytes), 0);
}

/* By code points, the shorter first; NUL is a character; copies are kept. */
static void test_texts(void **state) {
    (void)state;
    static const struct {
        const char *data;
        size_t size;
    } given[] = {{"b", 1}, {"\xf0\x9f\xa6\x86", 4}, {"", 0}, {"a\0b", 3}, {"\xef\xbf\xbd", 3}, {"a", 1}, {"a\0", 2},
                 {"Z", 1}};
    static const uint32_t order[] = {2, 7, 5, 6, 3, 0, 4, 1};
    struct shf_budget budget;
    shf_budget_init(&budget, 1 << 20);
    struct shf_tokens *tokens = tokens_new(&budget);
    for (uint32_t i = 0; i < 8; i++) {
        char room[8];
        uint32_t number;
        memcpy(room, given[i].data, given[i].size);
        struct shf_cel_value value = text(given[i].size ? room : NULL, given[i].size);
        assert_int_equal(shf_tokens_number(tokens, &value, &number, NULL), SHF_OK);
        assert_int_equal(number, i);
        shf_tokens_use(tokens, number);
        value.type = SHF_CEL_BYTES; /* the same */
        assert_int_equal(shf_tokens_number(tokens, &value, &number, NULL), SHF_OK);
        assert_int_equal(number, i);
        memset(room, 'x', sizeof room);
    }
    struct shf_cel_value *values;
    uint32_t *numbers, count;
    assert_int_equal(shf_tokens_sorted(tokens, &values, &numbers, &count, NULL), SHF_OK);
    assert_int_equal(count, 8);
    assert_memory_equal(numbers, order, sizeof order);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(values[i].as.text.size, given[order[i]].size);
        if (values[i].as.text.size)
            assert_memory_equal(values[i].as.text.data, given[order[i]].data, values[i].as.text.size);
    }
    shf_free(values);
    shf_free(numbers);
    shf_tokens_free(tokens);
}

static void refuse(struct shf_tokens *tokens, const struct shf_cel_value *value, shf_status code, const char *says) {
    struct shf_error *error = NULL;
    uint32_t number = 77;
    assert_int_equal(shf_tokens_number(tokens, value, &number, &error), code);
    if (!strstr(shf_error_message(error), says)) fail_msg("%s", shf_error_message(error));
    assert_int_equal(number, 77);
    shf_error_free(error);
}

static void test_refused_tokens(void **state) {
    (void)state;
    struct shf_budget budget;
    shf_budget_init(&budget, 64 << 20);
    struct shf_tokens *tokens = tokens_new(&budget);
    struct shf_cel_value value = {.type = SHF_CEL_UINT, .as.uinteger = (uint64_t)INT64_MAX + 1};
    refuse(tokens, &value, SHF_E_ROUTING, "9223372036854775808 is above");
    value = text("\xc3", 1);
    value.type = SHF_CEL_BYTES;
    refuse(tokens, &value, SHF_E_ROUTING, "not valid UTF-8");
    char *large = calloc(1, SHF_LIMIT_JSON_BYTES);
    value = text(large, SHF_LIMIT_JSON_BYTES);
    uint32_t number;
    assert_int_equal(shf_tokens_number(tokens, &value, &number, NULL), SHF_OK);
    value = text("one", 3);
    refuse(tokens, &value, SHF_E_LIMIT, "more than 16777216 bytes together");
    shf_tokens_free(tokens);
    /* A budget that has no room. */
    shf_budget_init(&budget, 100000);
    tokens = tokens_new(&budget);
    value = text(large, 200000);
    refuse(tokens, &value, SHF_E_NO_MEMORY, "memory_budget_bytes");
    shf_tokens_free(tokens);
    assert_int_equal(atomic_load(&budget.used_bytes), 0);
    free(large);
}

/* ---- a whole life ---- */

static shf_status live_once(const struct shf_sharder_options *options, char **sharding) {
    struct shf_sharder *sharder = NULL;
    struct shf_error *error = NULL;
    uint32_t num_dbs = 0;
    shf_status status = shf_sharder_new(options, &sharder, &error);
    for (int64_t i = 0; !status && i < 100; i++) {
        char key[16];
        uint32_t place = 0;
        bool is_cut = false;
        shf_row row = {.struct_size = sizeof row};
        row.key = shf_key_from_text(key, (size_t)snprintf(key, sizeof key, "%u", (unsigned)(i * 37 % 100)));
        status = shf_sharder_place(sharder, &row, &place, &is_cut, &error);
        assert_false(is_cut);
        if (!status) shf_sharder_use(sharder, place);
    }
    if (!status) status = shf_sharder_finish(sharder, &num_dbs, &error);
    if (!status) assert_int_equal(num_dbs, 100);
    if (!status) assert_int_equal(shf_sharder_place_of(sharder, 1), options->infers ? 73 : 1); /* "1": 73 * 37 = 2701 */
    if (!status) status = shf_sharder_text(sharder, sharding, &error);
    shf_sharder_free(sharder);
    if (status) assert_int_equal(shf_error_code(error), status);
    shf_error_free(error);
    return status;
}

static void fail_each(bool infers) {
    struct shf_budget budget;
    shf_budget_init(&budget, 8 << 20);
    const struct shf_sharder_options options = {.expression = infers ? "key + \"\"" : "int(key)",
                                                .columns = "{\"key\": \"string\"}",
                                                .infers = infers,
                                                .budget = &budget};
    shf_status status = SHF_E_NO_MEMORY;
    unsigned n = 0;
    for (; status && n < 2000; n++) {
        char *sharding = NULL;
        calls = 0;
        failing = n + 1;
        status = live_once(&options, &sharding);
        failing = 0;
        if (status) assert_int_equal(status, SHF_E_NO_MEMORY);
        if (!status)
            assert_non_null(strstr(sharding, infers ? "[\"0\", \"1\", \"10\", \"11\"" : "\"routing_values\": null"));
        shf_free(sharding);
        assert_int_equal(live, 0);
        assert_int_equal(atomic_load(&budget.used_bytes), 0);
    }
    assert_int_equal(status, SHF_OK);
    assert_true(n > 8);
}

static void test_failing_allocations(void **state) {
    (void)state;
    fail_each(false);
    fail_each(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_tokens, begin, end),
        cmocka_unit_test_setup_teardown(test_texts, begin, end),
        cmocka_unit_test_setup_teardown(test_refused_tokens, begin, end),
        cmocka_unit_test_setup_teardown(test_failing_allocations, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
