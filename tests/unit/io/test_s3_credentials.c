/* Credentials that are renewed: by a command, from a file, before they expire and after a server called them expired. */
#include "s3_support.h"

#include "base/clock.h"
#include "io/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 10
#define EXPIRED "<Error><Code>ExpiredToken</Code><Message>hush</Message></Error>"

#define UNKNOWN "<Error><Code>InvalidAccessKeyId</Code><Message>hush</Message></Error>"

static const struct scripted_answer ok = {.status = 200, .body = "hello"};

static void use_files(struct s3_test *test, const char *config, const char *credentials) {
    char *config_path = support_path("%s/config", test->home), *path = support_path("%s/credentials", test->home);
    support_write_text(config_path, config);
    support_write_text(path, credentials);
    support_setenv("AWS_CONFIG_FILE", config_path);
    support_setenv("AWS_SHARED_CREDENTIALS_FILE", path);
    test->options.access_key_id = test->options.secret_access_key = NULL;
    free(config_path);
    free(path);
}

/* A command that counts its runs, and prints keys that are numbered by them; life_s 0 = without an end. */
static void use_command(struct s3_test *test, int life_s, const char *before) {
    char *script = support_path("%s/tool", test->home),
         *config = support_path("[default]\ncredential_process = sh %s\n", script);
    char expiration[64] = "";
    time_t end = (time_t)(shf_clock_wall_us() / 1000000) + life_s;
    struct tm parts;
    assert_non_null(gmtime_r(&end, &parts));
    if (life_s)
        assert_true(strftime(expiration, sizeof expiration, ", \"Expiration\": \"%Y-%m-%dT%H:%M:%SZ\"", &parts) > 0);
    char *text =
        support_path("cd '%s'\necho run >>runs\nn=$(wc -l <runs)\n%s\n"
                     "echo '{\"Version\": 1, \"AccessKeyId\": \"AKID-'$n'\", \"SecretAccessKey\": \"hush\"%s}'\n",
                     test->home, before, expiration);
    support_write_text(script, text);
    use_files(test, config, "");
    free(script);
    free(config);
    free(text);
}

static int runs_of(const struct s3_test *test) {
    char *path = support_path("%s/runs", test->home);
    struct stat found;
    int runs = stat(path, &found) == 0 ? (int)(found.st_size / 4) : 0;
    free(path);
    return runs;
}

static void expect_key_id(struct s3_test *test, unsigned n, const char *id) {
    char *authorization = s3_header(scripted_server_request(test->server, n), "authorization");
    char *part = support_path("Credential=%s/", id);
    assert_non_null(authorization);
    if (!strstr(authorization, part)) fail_msg("%s: %s", id, authorization);
    free(part);
    free(authorization);
}

static void get_good(struct s3_test *test) {
    struct support_call call;
    (void)s3_get(test, &call);
    s3_expect_body(&call, "hello");
    support_call_clear(&call);
}

static void test_a_command(void **state) {
    (void)state;
    static struct support_call calls[AT_ONCE];
    struct s3_test test;
    s3_begin(&test, &ok, 1);
    use_command(&test, 0, "sleep 0.1");
    s3_open(&test);
    assert_int_equal(runs_of(&test), 0); /* not before it is needed */
    for (int i = 0; i < AT_ONCE; i++) {
        support_call_init(&calls[i], SHF_STORE_GET, "key");
        support_submit(test.store, &calls[i]);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        (void)support_wait(&calls[i]);
        s3_expect_body(&calls[i], "hello");
        support_call_clear(&calls[i]);
        expect_key_id(&test, (unsigned)i, "AKID-1");
    }
    get_good(&test);
    assert_int_equal(runs_of(&test), 1); /* one for all of them */
    s3_end(&test);
}

static void test_called_expired_by_the_server(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {{.status = 400, .body = EXPIRED}, {.status = 200, .body = "hello"}};
    static const struct scripted_answer always = {.status = 400, .body = EXPIRED};
    struct s3_test test;
    struct support_call call;
    s3_begin(&test, script, 2);
    use_command(&test, 0, "");
    s3_open(&test);
    get_good(&test);
    expect_key_id(&test, 0, "AKID-1");
    expect_key_id(&test, 1, "AKID-2");
    assert_int_equal(runs_of(&test), 2);
    /* Once in a request, whatever comes. */
    scripted_server_script(test.server, &always, 1);
    (void)s3_get(&test, &call);
    support_expect_failure(&call, SHF_E_ACCESS, "ExpiredToken");
    assert_int_equal(scripted_server_requests(test.server), 2);
    assert_int_equal(runs_of(&test), 3);
    support_call_clear(&call);
    s3_end(&test);
}

static void test_keys_of_a_file(void **state) {
    (void)state;
    static const struct scripted_answer always = {.status = 403, .body = EXPIRED};
    static const struct scripted_answer script[] = {{.status = 403, .body = EXPIRED}, {.status = 200, .body = "hello"}};
    struct s3_test test;
    struct support_call call;
    s3_begin(&test, &always, 1);
    use_files(&test, "", "[default]\naws_access_key_id = AKID-1\naws_secret_access_key = hush\n");
    s3_open(&test);
    (void)s3_get(&test, &call); /* the file has nothing new */
    support_expect_failure(&call, SHF_E_ACCESS, "the credentials have expired; give fresh ones");
    assert_int_equal(scripted_server_requests(test.server), 1);
    support_call_clear(&call);
    scripted_server_script(test.server, script, 2);
    use_files(&test, "", "[default]\naws_access_key_id = AKID-2\naws_secret_access_key = hush\n");
    get_good(&test);
    expect_key_id(&test, 0, "AKID-1");
    expect_key_id(&test, 1, "AKID-2");
    scripted_server_script(test.server, &always, 1);
    use_files(&test, "", "[default]\nregion = x\n");
    (void)s3_get(&test, &call);
    support_expect_failure(&call, SHF_E_ACCESS, "AWS profile default has no keys any more");
    support_call_clear(&call);
    use_files(&test, "", "[default]\naws_access_key_id = AK ID\naws_secret_access_key = hush\n");
    (void)s3_get(&test, &call);
    support_expect_failure(&call, SHF_E_ACCESS, "characters that no key has");
    support_call_clear(&call);
    s3_end(&test);
}

/* Keys of the options can not be renewed. */
static void test_fixed_keys(void **state) {
    (void)state;
    static const struct scripted_answer always = {.status = 400, .body = EXPIRED};
    struct s3_test test;
    struct support_call call;
    s3_start(&test, &always, 1);
    (void)s3_get(&test, &call);
    support_expect_failure(&call, SHF_E_ACCESS, "have expired");
    assert_null(strstr(shf_error_message(call.request.error), "hush"));
    assert_int_equal(scripted_server_requests(test.server), 1);
    support_call_clear(&call);
    s3_end(&test);
}

static void wait_for_runs(struct s3_test *test, int runs) {
    for (int i = 0; i < 1000 && runs_of(test) < runs; i++) s3_sleep_ms(5);
    assert_int_equal(runs_of(test), runs);
}

/* Keys for an hour: in its last five minutes they are still good, and new ones are fetched; after its end only those are. */
static void test_before_and_after_the_end(void **state) {
    (void)state;
    struct s3_test test;
    s3_begin(&test, &ok, 1);
    use_command(&test, 3600, "");
    s3_open(&test);
    get_good(&test);
    s3_clock_add_ms(54 * 60000);
    get_good(&test);
    assert_int_equal(runs_of(&test), 1);
    s3_clock_add_ms(2 * 60000);
    use_command(&test, 3600, "");
    get_good(&test);
    expect_key_id(&test, 2, "AKID-1"); /* nobody waited */
    wait_for_runs(&test, 2);
    for (int i = 0; i < 200; i++) { /* the new ones come soon */
        get_good(&test);
        char *authorization = s3_header(scripted_server_request(test.server, 3 + (unsigned)i), "authorization");
        bool fresh = strstr(authorization, "AKID-2") != NULL;
        free(authorization);
        if (fresh) break;
        s3_sleep_ms(10);
    }
    expect_key_id(&test, scripted_server_requests(test.server) - 1, "AKID-2");
    s3_clock_add_ms(61 * 60000);
    use_command(&test, 3600, "");
    get_good(&test);
    expect_key_id(&test, scripted_server_requests(test.server) - 1, "AKID-3");
    assert_int_equal(runs_of(&test), 3);
    s3_end(&test);
}

static void test_commands_that_fail(void **state) {
    (void)state;
    static const struct {
        const char *before, *part;
        int life_s;
    } cases[] = {{"exit 1", "credential_process of AWS profile default: the command failed", 0},
                 {"echo hush; exit 0", "what it printed is not JSON", 0},
                 {"", "the credentials have expired", -60}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        struct s3_test test;
        struct support_call call;
        s3_begin(&test, &ok, 1);
        use_command(&test, cases[i].life_s, cases[i].before);
        s3_open(&test);
        (void)s3_get(&test, &call);
        support_expect_failure(&call, SHF_E_ACCESS, cases[i].part);
        assert_non_null(strstr(shf_error_message(call.request.error), "s3://bucket/key"));
        assert_null(strstr(shf_error_message(call.request.error), "hush"));
        assert_int_equal(scripted_server_requests(test.server), 0);
        support_call_clear(&call);
        use_command(&test, 0, ""); /* it is mended: the next request asks again */
        get_good(&test);
        s3_end(&test);
    }
}

/* Neither a deadline nor a token waits for the command, and the end of the runtime kills it. */
static void give(struct s3_test *test, const char *id, const char *token) {
    struct shf_credentials *given = NULL;
    assert_int_equal(shf_credentials_given(id, "hush", token, &given), SHF_OK);
    shf_store_use_credentials(test->store, given);
    shf_credentials_release(given);
}

/* Sets from outside: the last one given signs what is sent next, and stays. */
static void test_given_ones(void **state) {
    (void)state;
    static const struct scripted_answer always = {.status = 400, .body = EXPIRED};
    struct s3_test test;
    struct support_call call;
    s3_begin(&test, &ok, 1);
    s3_open(&test);
    get_good(&test);
    give(&test, "GIVEN-1", NULL);
    give(&test, "GIVEN-2", "a-token");
    get_good(&test);
    expect_key_id(&test, 1, "GIVEN-2");
    char *token = s3_header(scripted_server_request(test.server, 1), "x-amz-security-token");
    assert_string_equal(token, "a-token");
    free(token);
    scripted_server_script(test.server, &always, 1);
    (void)s3_get(&test, &call);
    support_expect_failure(&call, SHF_E_ACCESS, "the credentials have expired; give fresh ones");
    support_call_clear(&call);
    scripted_server_script(test.server, &ok, 1);
    give(&test, "GIVEN-3", NULL);
    get_good(&test);
    expect_key_id(&test, 0, "GIVEN-3");
    give(&test, "GIVEN-4", NULL); /* never used: goes with the store */
    s3_end(&test);
}

/* Beside a command: nobody asks it any more, and what it still prints is not taken. */
static void test_given_beside_a_command(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call call;
    s3_begin(&test, &ok, 1);
    use_command(&test, 0, "while ! [ -e go ]; do sleep 0.01; done");
    s3_open(&test);
    support_call_init(&call, SHF_STORE_GET, "key");
    support_submit(test.store, &call);
    while (runs_of(&test) == 0) (void)usleep(1000); /* the request waits for the command */
    give(&test, "GIVEN-1", NULL);
    get_good(&test); /* another does not wait */
    expect_key_id(&test, 0, "GIVEN-1");
    char *go = support_path("%s/go", test.home);
    support_write_text(go, "");
    free(go);
    (void)support_wait(&call);
    s3_expect_body(&call, "hello");
    support_call_clear(&call);
    expect_key_id(&test, 1, "GIVEN-1");
    get_good(&test);
    expect_key_id(&test, 2, "GIVEN-1");
    assert_int_equal(runs_of(&test), 1);
    s3_end(&test);
}

/* A request that was sent with the old ones, and is told that they have expired, goes on with the new ones. */
static void given_while_a_request_is_under_way(const struct scripted_answer *refusal) {
    const struct scripted_answer script[] = {*refusal, {.status = 200, .body = "hello"}};
    struct s3_test test;
    struct support_call call;
    s3_begin(&test, script, 2);
    s3_open(&test);
    support_call_init(&call, SHF_STORE_GET, "key");
    support_submit(test.store, &call);
    assert_true(scripted_server_wait(test.server, 1));
    give(&test, "GIVEN-1", NULL);
    get_good(&test);
    (void)support_wait(&call);
    s3_expect_body(&call, "hello");
    support_call_clear(&call);
    expect_key_id(&test, 1, "GIVEN-1");
    expect_key_id(&test, 2, "GIVEN-1");
    assert_int_equal(scripted_server_requests(test.server), 3);
    s3_end(&test);
}

static void test_given_while_a_request_is_under_way(void **state) {
    (void)state;
    given_while_a_request_is_under_way(&(struct scripted_answer){.status = 400, .body = EXPIRED, .wait_for = 2});
    given_while_a_request_is_under_way(&(struct scripted_answer){.status = 403, .body = UNKNOWN, .wait_for = 2});
}

/* A refusal of the newest ones is one. */
static void test_given_ones_that_are_refused(void **state) {
    (void)state;
    static const struct scripted_answer always = {.status = 403, .body = UNKNOWN};
    struct s3_test test;
    struct support_call call;
    s3_start(&test, &always, 1);
    give(&test, "GIVEN-1", NULL);
    (void)s3_get(&test, &call);
    support_expect_failure(&call, SHF_E_ACCESS, "does not know the access key id");
    support_call_clear(&call);
    assert_int_equal(scripted_server_requests(test.server), 1);
    s3_end(&test);
}

static void test_given_ones_that_are_none(void **state) {
    (void)state;
    static const struct {
        const char *id, *secret, *token;
    } rows[] = {{NULL, "s", NULL},  {"", "s", NULL},    {"a", NULL, NULL},      {"a", "", NULL},
                {"a b", "s", NULL}, {"a\n", "s", NULL}, {"a", "s", "t\r\nx: y"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct shf_credentials *out = NULL;
        assert_int_equal(shf_credentials_given(rows[i].id, rows[i].secret, rows[i].token, &out), SHF_E_INVALID);
        assert_null(out);
    }
}

static void test_ends_while_the_command_runs(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call calls[3];
    struct shf_cancel cancel;
    int64_t start = shf_clock_monotonic_ns();
    s3_begin(&test, &ok, 1);
    use_command(&test, 0, "sleep 30");
    s3_open(&test);
    for (size_t i = 0; i < SUPPORT_COUNT(calls); i++) support_call_init(&calls[i], SHF_STORE_GET, "key");
    shf_cancel_init(&cancel);
    calls[0].request.deadline_ns = shf_deadline_after_ms(50);
    calls[1].request.cancel = &cancel;
    for (size_t i = 0; i < SUPPORT_COUNT(calls); i++) support_submit(test.store, &calls[i]);
    (void)support_wait(&calls[0]);
    support_expect_failure(&calls[0], SHF_E_DEADLINE, "time given");
    shf_cancel_request(&cancel);
    shf_rt_sweep(test.runtime);
    (void)support_wait(&calls[1]);
    support_expect_failure(&calls[1], SHF_E_CANCELLED, "cancelled");
    wait_for_runs(&test, 1);
    support_runtime_free(test.runtime);
    test.runtime = NULL;
    assert_int_equal(calls[2].done_count, 1);
    assert_int_equal(calls[2].request.status, SHF_E_CANCELLED);
    for (size_t i = 0; i < SUPPORT_COUNT(calls); i++) support_call_clear(&calls[i]);
    assert_true(shf_clock_monotonic_ns() - start < INT64_C(10000000000));
    assert_int_equal(scripted_server_requests(test.server), 0);
    s3_end(&test);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_command),
        cmocka_unit_test(test_called_expired_by_the_server),
        cmocka_unit_test(test_keys_of_a_file),
        cmocka_unit_test(test_fixed_keys),
        cmocka_unit_test(test_before_and_after_the_end),
        cmocka_unit_test(test_commands_that_fail),
        cmocka_unit_test(test_given_ones),
        cmocka_unit_test(test_given_beside_a_command),
        cmocka_unit_test(test_given_while_a_request_is_under_way),
        cmocka_unit_test(test_given_ones_that_are_refused),
        cmocka_unit_test(test_given_ones_that_are_none),
        cmocka_unit_test(test_ends_while_the_command_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
