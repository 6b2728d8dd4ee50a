/* Where and as whom an S3 store talks: options, then environment, then the AWS files. */
#include "support.h"

#include "base/alloc.h"
#include "io/s3_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *home;
static shf_s3_options options;
static struct shf_s3_config config;

static int begin(void **state) {
    (void)state;
    home = support_directory();
    support_environment(home);
    SHF_INIT(&options);
    memset(&config, 0, sizeof config);
    return 0;
}

static int end(void **state) {
    (void)state;
    shf_s3_config_free(&config);
    support_remove(home);
    return 0;
}

static void write_file(const char *variable, const char *text) {
    char *path = support_path("%s/%s", home, variable);
    support_write_text(path, text);
    support_setenv(variable, path);
    free(path);
}

static void read_bucket(const char *bucket) {
    struct shf_error *error = NULL;
    shf_s3_config_free(&config);
    shf_status status = shf_s3_config_read(bucket, &options, &config, &error);
    if (status) fail_msg("%s", shf_error_message(error));
}

static void read_good(void) { read_bucket("bucket"); }

/* No secret in the message either: every secret of this file begins with "hush". */
static void expect_refused(const char *bucket, shf_status status, const char *part) {
    struct shf_error *error = NULL;
    struct shf_s3_config untouched = {0};
    assert_int_equal(shf_s3_config_read(bucket, &options, &untouched, &error), status);
    assert_null(untouched.region);
    assert_null(strstr(shf_error_message(error), "hush"));
    support_expect_error(error, status, part);
}

static void expect_keys(enum shf_s3_key_source source, const char *id, const char *secret, const char *token) {
    assert_int_equal(config.key_source, source);
    assert_string_equal(config.access_key_id, id);
    assert_string_equal(config.secret_access_key, secret);
    if (token) assert_string_equal(config.session_token, token);
    if (!token) assert_null(config.session_token);
}

static void test_defaults(void **state) {
    (void)state;
    options.anonymous = 1;
    read_good();
    assert_null(config.endpoint);
    assert_string_equal(config.region, "us-east-1");
    assert_true(config.virtual_host);
    assert_int_equal(config.connect_timeout_ms, 10000);
    assert_int_equal(config.read_timeout_ms, 30000);
    assert_int_equal(config.max_attempts, 6);
    assert_int_equal(config.key_source, SHF_S3_KEYS_NONE);
    assert_false(config.insecure_skip_verify);
    assert_null(config.ca_bundle);
}

/* Sources are added from the weakest to the strongest; each in turn wins whole. */
static void test_the_order_of_keys(void **state) {
    (void)state;
    expect_refused("bucket", SHF_E_ACCESS, "no credentials; tried the options, the environment");
    write_file("AWS_CONFIG_FILE", "[default]\naws_access_key_id = c\naws_secret_access_key = hush-c\n");
    read_good();
    expect_keys(SHF_S3_KEYS_FILE, "c", "hush-c", NULL);
    assert_string_equal(config.profile, "default");
    write_file("AWS_CONFIG_FILE", "[default]\naws_access_key_id = c\naws_secret_access_key = hush-c\n"
                                  "credential_process = /bin/true\n");
    read_good();
    assert_int_equal(config.key_source, SHF_S3_KEYS_PROCESS);
    assert_string_equal(config.credential_process, "/bin/true");
    assert_null(config.access_key_id);
    write_file("AWS_SHARED_CREDENTIALS_FILE", "[default]\naws_access_key_id = f\naws_secret_access_key = hush-f\n"
                                              "aws_session_token = hush-tf\n");
    read_good();
    expect_keys(SHF_S3_KEYS_FILE, "f", "hush-f", "hush-tf");
    support_setenv("AWS_ACCESS_KEY_ID", "a");
    support_setenv("AWS_SECRET_ACCESS_KEY", "hush-a");
    support_setenv("AWS_SESSION_TOKEN", "hush-ta");
    read_good();
    expect_keys(SHF_S3_KEYS_ENVIRONMENT, "a", "hush-a", "hush-ta");
    support_setenv("S3_ACCESS_KEY_ID", "s");
    support_setenv("S3_SECRET_ACCESS_KEY", "hush-s");
    read_good();
    expect_keys(SHF_S3_KEYS_ENVIRONMENT, "s", "hush-s", NULL); /* and not AWS's token */
    options.access_key_id = "o";
    options.secret_access_key = "hush-o";
    read_good();
    expect_keys(SHF_S3_KEYS_OPTIONS, "o", "hush-o", NULL);
    options.session_token = "hush-to";
    read_good();
    expect_keys(SHF_S3_KEYS_OPTIONS, "o", "hush-o", "hush-to");
    options.anonymous = 1;
    read_good();
    assert_int_equal(config.key_source, SHF_S3_KEYS_NONE);
    assert_null(config.access_key_id);
}

static void test_half_credentials(void **state) {
    (void)state;
    support_setenv("AWS_ACCESS_KEY_ID", "a");
    expect_refused("bucket", SHF_E_ACCESS, "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: one of");
    support_setenv("AWS_SECRET_ACCESS_KEY", ""); /* empty is not set */
    expect_refused("bucket", SHF_E_ACCESS, "one of access key id and secret");
    support_setenv("S3_SECRET_ACCESS_KEY", "hush");
    expect_refused("bucket", SHF_E_ACCESS, "S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY: one of");
    options.secret_access_key = "hush";
    expect_refused("bucket", SHF_E_ACCESS, "the options: one of");
    options.access_key_id = "";
    expect_refused("bucket", SHF_E_ACCESS, "the options: one of");
    options.secret_access_key = NULL;
    assert_int_equal(unsetenv("S3_SECRET_ACCESS_KEY"), 0);
    assert_int_equal(unsetenv("AWS_ACCESS_KEY_ID"), 0);
    write_file("AWS_SHARED_CREDENTIALS_FILE", "[default]\naws_secret_access_key = hush\n");
    expect_refused("bucket", SHF_E_ACCESS, "the AWS credentials file: one of");
}

/* They become parts of headers: a line end would begin another one. */
static void test_keys_that_are_none(void **state) {
    (void)state;
    static const char *const bad[] = {"hush\n", "hush\r\nX-Evil: 1", "hu sh", "hush\t", "hush\xc3\xa9", "hush\x7f"};
    for (size_t i = 0; i < SUPPORT_COUNT(bad); i++) {
        options.access_key_id = bad[i];
        options.secret_access_key = "hush /+"; /* never sent */
        options.session_token = NULL;
        expect_refused("bucket", SHF_E_ACCESS, "the options: the access key id or the session token");
        options.access_key_id = "good";
        read_good();
        options.session_token = bad[i];
        expect_refused("bucket", SHF_E_ACCESS, "look for blanks and line ends");
    }
}

static void test_what_was_tried_is_told(void **state) {
    (void)state;
    write_file("AWS_CONFIG_FILE", "[default]\nrole_arn = arn:aws:iam::1:role/r\n");
    expect_refused("bucket", SHF_E_ACCESS, "not read here: its role_arn");
    expect_refused("bucket", SHF_E_ACCESS, ".aws/credentials (no such file)");
    support_setenv("AWS_CONFIG_FILE", home); /* a directory */
    expect_refused("bucket", SHF_E_ACCESS, "can not be read");
    /* Who has keys elsewhere does not care; who names a profile does. */
    support_setenv("AWS_ACCESS_KEY_ID", "a");
    support_setenv("AWS_SECRET_ACCESS_KEY", "hush-a");
    read_good();
    options.profile = "work";
    expect_refused("bucket", SHF_E_ACCESS, "can not be read");
    options.profile = NULL;
    support_setenv("AWS_PROFILE", "work");
    expect_refused("bucket", SHF_E_ACCESS, "can not be read");
    support_setenv("AWS_CONFIG_FILE", "/nowhere");
    expect_refused("bucket", SHF_E_INVALID, "no AWS profile work");
}

static void test_the_order_of_endpoints(void **state) {
    (void)state;
    options.anonymous = 1;
    write_file("AWS_CONFIG_FILE", "[default]\nendpoint_url = http://profile\n");
    read_good();
    assert_string_equal(config.endpoint, "http://profile");
    support_setenv("SLATEDB_S3_ENDPOINT_URL", "http://slatedb");
    read_good();
    assert_string_equal(config.endpoint, "http://slatedb");
    support_setenv("AWS_ENDPOINT_URL", "http://general");
    read_good();
    assert_string_equal(config.endpoint, "http://general");
    support_setenv("AWS_ENDPOINT_URL_S3", "http://special");
    read_good();
    assert_string_equal(config.endpoint, "http://special");
    options.endpoint_url = "https://Option.example:8443/some/path//";
    read_good();
    assert_string_equal(config.endpoint, "https://Option.example:8443/some/path");
    options.endpoint_url = "http://[::1]:9000";
    read_good();
    assert_string_equal(config.endpoint, "http://[::1]:9000");
}

static void test_hostile_endpoints(void **state) {
    (void)state;
    static const char *const endpoints[] = {
        "127.0.0.1:9000",      "ftp://h",           "http://",          "http:///path",   "http://user@h",
        "http://hush:hush@h/", "http://h?hush",     "http://h#f",       "http://h/a b",   "http://h\r\nX: hush",
        "http://h/%2e%2e",     "HTTP://h",          "http://h\\@other", "http://h,other", "//h",
        "http://\xc3\xa9.com", "file:///etc/passwd"};
    options.anonymous = 1;
    for (size_t i = 0; i < SUPPORT_COUNT(endpoints); i++) {
        options.endpoint_url = endpoints[i];
        expect_refused("bucket", SHF_E_INVALID, "endpoint is not of the form");
    }
    char *longest = support_path("http://%01020d", 0);
    options.endpoint_url = longest;
    expect_refused("bucket", SHF_E_INVALID, "endpoint is not of the form");
    free(longest);
}

static void test_the_order_of_regions(void **state) {
    (void)state;
    options.anonymous = 1;
    write_file("AWS_CONFIG_FILE", "[default]\nregion = profile-1\n");
    read_good();
    assert_string_equal(config.region, "profile-1");
    support_setenv("AWS_DEFAULT_REGION", "default-1");
    read_good();
    assert_string_equal(config.region, "default-1");
    support_setenv("AWS_REGION", "aws-1");
    read_good();
    assert_string_equal(config.region, "aws-1");
    support_setenv("S3_REGION", "s3-1");
    read_good();
    assert_string_equal(config.region, "s3-1");
    options.region = "option-1";
    read_good();
    assert_string_equal(config.region, "option-1");
}

/* A region becomes part of AWS's host name; with an endpoint of one's own only of the signature. */
static void test_hostile_regions(void **state) {
    (void)state;
    static const char *const never[] = {
        "evil.example/", "a b",
        "a@b",           "a:b",
        "a#b",           "a?b",
        "a\nb",          "a\\b",
        "\xc3\xa9",      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    static const char *const not_for_aws[] = {"evil.example.com", "-x", "US-EAST-1", "us_east_1", "."};
    options.anonymous = 1;
    for (size_t i = 0; i < SUPPORT_COUNT(never); i++) {
        options.region = never[i];
        options.endpoint_url = "http://h";
        expect_refused("bucket", SHF_E_INVALID, "region is none");
        options.endpoint_url = NULL;
        expect_refused("bucket", SHF_E_INVALID, "region is none");
        assert_false(shf_s3_region_is_plain(never[i]));
    }
    for (size_t i = 0; i < SUPPORT_COUNT(not_for_aws); i++) {
        options.region = not_for_aws[i];
        options.endpoint_url = NULL;
        expect_refused("bucket", SHF_E_INVALID, "region is none");
        options.endpoint_url = "http://h";
        read_good();
        assert_string_equal(config.region, not_for_aws[i]);
    }
    assert_false(shf_s3_region_is_plain(""));
}

static void test_hosts_of_aws(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"eu-west-1", "s3.eu-west-1.amazonaws.com"},
                                           {"cn-north-1", "s3.cn-north-1.amazonaws.com.cn"},
                                           {"us-gov-west-1", "s3.us-gov-west-1.amazonaws.com"}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        char *host = shf_s3_aws_host(cases[i][0]);
        assert_string_equal(host, cases[i][1]);
        shf_free(host);
    }
}

static void test_addressing(void **state) {
    (void)state;
    options.anonymous = 1;
    read_bucket("with.dots"); /* no certificate of AWS fits */
    assert_false(config.virtual_host);
    read_bucket("Capital_");
    assert_false(config.virtual_host);
    options.endpoint_url = "http://127.0.0.1:1";
    read_good();
    assert_false(config.virtual_host);
    options.addressing = SHF_ADDRESSING_VIRTUAL;
    read_good();
    assert_true(config.virtual_host);
    options.endpoint_url = NULL;
    options.addressing = SHF_ADDRESSING_PATH;
    read_good();
    assert_false(config.virtual_host);
    options.addressing = SHF_ADDRESSING_AUTO;
    write_file("AWS_CONFIG_FILE", "[default]\ns3 =\n  addressing_style = path\n");
    read_good();
    assert_false(config.virtual_host);
    options.addressing = SHF_ADDRESSING_VIRTUAL; /* options win */
    read_good();
    assert_true(config.virtual_host);
}

static void test_names_of_buckets(void **state) {
    (void)state;
    static const char *const bad[] = {"",     ".",   "..",  "a/b", "a b",  "a@b",
                                      "a%2f", "a?b", "a#b", "a:b", "a\nb", "\xc3\xa9"};
    options.anonymous = 1;
    for (size_t i = 0; i < SUPPORT_COUNT(bad); i++) expect_refused(bad[i], SHF_E_INVALID, "name of a bucket");
    char *name = support_path("%0256d", 0);
    expect_refused(name, SHF_E_INVALID, "name of a bucket");
    read_bucket(name + 1);
    free(name);
}

static void test_numbers_and_bundles(void **state) {
    (void)state;
    options.anonymous = 1;
    options.connect_timeout_ms = 86400000;
    options.read_timeout_ms = 1;
    options.max_attempts = 100;
    options.insecure_skip_verify = 7;
    write_file("AWS_CONFIG_FILE", "[default]\nca_bundle = /profile.pem\n");
    read_good();
    assert_int_equal(config.connect_timeout_ms, 86400000);
    assert_int_equal(config.read_timeout_ms, 1);
    assert_int_equal(config.max_attempts, 100);
    assert_true(config.insecure_skip_verify);
    assert_string_equal(config.ca_bundle, "/profile.pem");
    support_setenv("AWS_CA_BUNDLE", "/environment.pem");
    read_good();
    assert_string_equal(config.ca_bundle, "/environment.pem");
    options.ca_bundle = "/option.pem";
    read_good();
    assert_string_equal(config.ca_bundle, "/option.pem");
    uint32_t *const numbers[] = {&options.connect_timeout_ms, &options.read_timeout_ms, &options.max_attempts,
                                 &options.addressing};
    for (size_t i = 0; i < SUPPORT_COUNT(numbers); i++) {
        uint32_t before = *numbers[i];
        *numbers[i] = 86400001;
        expect_refused("bucket", SHF_E_INVALID, "out of range");
        *numbers[i] = before;
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_the_order_of_keys),
        TEST(test_half_credentials),
        TEST(test_keys_that_are_none),
        TEST(test_what_was_tried_is_told),
        TEST(test_the_order_of_endpoints),
        TEST(test_hostile_endpoints),
        TEST(test_the_order_of_regions),
        TEST(test_hostile_regions),
        TEST(test_hosts_of_aws),
        TEST(test_addressing),
        TEST(test_names_of_buckets),
        TEST(test_numbers_and_bundles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
