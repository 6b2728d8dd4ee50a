/* The AWS shared files: their grammar, which file is read, and what is wrong with them. */
#include "support.h"

#include "base/alloc.h"
#include "io/aws_profile.h"
#include "shardyfusion/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *home;

static int begin(void **state) {
    (void)state;
    home = support_directory();
    support_environment(home);
    return 0;
}

static int end(void **state) {
    (void)state;
    support_remove(home);
    return 0;
}

/* One file's text, for profile `name`. */
static struct shf_aws_profile parse(const char *name, const char *text, bool is_config, bool expected_found) {
    struct shf_aws_profile profile = {.name = shf_strdup(name)};
    bool found = !expected_found;
    assert_int_equal(shf_aws_profile_parse(text, strlen(text), is_config, &profile, &found, NULL), SHF_OK);
    assert_int_equal(found, expected_found);
    return profile;
}

static void test_credentials_grammar(void **state) {
    (void)state;
    struct shf_aws_profile p = parse("work",
                                     "\xef\xbb\xbf# a comment\n"
                                     "aws_access_key_id = nobody\n"
                                     "[default]\naws_access_key_id = other\n"
                                     "[ work ]\r\n"
                                     "AWS_Access_Key_Id=AKID # mine\r\n"
                                     "aws_secret_access_key = a=b#c ;d\r\n"
                                     "  aws_session_token = indented belongs to nothing\r\n"
                                     "no equals sign\n"
                                     "region =\n"
                                     "[broken\n"
                                     "aws_session_token = nobody\n"
                                     "[work.more]\naws_session_token = nobody",
                                     false, true);
    assert_string_equal(p.credentials.access_key_id, "AKID");
    assert_string_equal(p.credentials.secret_access_key, "a=b#c");
    assert_null(p.credentials.session_token);
    assert_null(p.config.access_key_id);
    assert_null(p.region);
    shf_aws_profile_free(&p);
}

static void test_config_sections(void **state) {
    (void)state;
    static const char text[] = "[default]\nregion = d\n[profile one]\nregion = 1\n[profile \"two words\"]\nregion = 2\n"
                               "[profile\t'three']\nregion = 3\n[four]\nregion = 4\n[profilefive]\nregion = 5\n"
                               "[sso-session six]\nregion = 6\n[profile default]\nregion = seven\n";
    static const struct {
        const char *name, *region;
    } cases[] = {{"one", "1"},   {"two words", "2"}, {"three", "3"},       {"four", NULL}, {"profilefive", NULL},
                 {"five", NULL}, {"six", NULL},      {"default", "seven"}, {"", NULL}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        struct shf_aws_profile p = parse(cases[i].name, text, true, cases[i].region != NULL);
        if (cases[i].region) assert_string_equal(p.region, cases[i].region);
        if (!cases[i].region) assert_null(p.region);
        shf_aws_profile_free(&p);
    }
}

static void test_settings(void **state) {
    (void)state;
    struct shf_aws_profile p = parse("default",
                                     "[default]\nregion = eu-west-1 ; comment\nendpoint_url = http://h:1/\n"
                                     "credential_process = /bin/tool --flag ' # not a comment'\nca_bundle=/ca.pem\n"
                                     "s3 =\n  addressing_style = path\n  max_concurrent_requests = 3\n"
                                     "role_arn = arn:aws:iam::1:role/r\n",
                                     true, true);
    assert_string_equal(p.region, "eu-west-1");
    assert_string_equal(p.endpoint_url, "http://h:1/");
    assert_string_equal(p.credential_process, "/bin/tool --flag ' # not a comment'");
    assert_string_equal(p.ca_bundle, "/ca.pem");
    assert_string_equal(p.unread, "role_arn");
    assert_int_equal(p.addressing, SHF_ADDRESSING_PATH);
    shf_aws_profile_free(&p);
    p = parse("default", "[default]\ns3 =\n\taddressing_style=virtual\nregion=x\n  addressing_style=path\n", true, true);
    assert_int_equal(p.addressing, SHF_ADDRESSING_VIRTUAL);
    shf_aws_profile_free(&p);
    p = parse("default", "[default]\naddressing_style = path\ns3 = inline\n  addressing_style = path\n", true, true);
    assert_int_equal(p.addressing, SHF_ADDRESSING_AUTO);
    shf_aws_profile_free(&p);
}

/* Session tokens have a thousand bytes and more: nothing is cut. */
static void test_long_lines(void **state) {
    (void)state;
    char *token = malloc(20001);
    assert_non_null(token);
    memset(token, 't', 20000);
    token[20000] = '\0';
    char *text = support_path("[default]\naws_session_token = %s\n", token);
    struct shf_aws_profile p = parse("default", text, false, true);
    assert_string_equal(p.credentials.session_token, token);
    shf_aws_profile_free(&p);
    free(text);
    free(token);
}

static void write_both(const char *config, const char *credentials) {
    char *directory = support_path("%s/.aws", home);
    char *config_path = support_path("%s/config", directory),
         *credentials_path = support_path("%s/credentials", directory);
    (void)mkdir(directory, 0700);
    if (config) support_write_text(config_path, config);
    if (credentials) support_write_text(credentials_path, credentials);
    free(directory);
    free(config_path);
    free(credentials_path);
}

static void test_the_files_of_home(void **state) {
    (void)state;
    struct shf_aws_profile p = {0};
    assert_int_equal(shf_aws_profile_read(NULL, &p, NULL), SHF_OK); /* neither is there: an empty default */
    assert_string_equal(p.name, "default");
    assert_non_null(strstr(p.looked_at, ".aws/config (no such file)"));
    assert_non_null(strstr(p.looked_at, ".aws/credentials (no such file)"));
    shf_aws_profile_free(&p);
    write_both("[default]\nregion = from-config\nca_bundle = c\naws_access_key_id = config-id\n",
               "[default]\nregion = from-credentials\naws_access_key_id = credentials-id\n");
    assert_int_equal(shf_aws_profile_read(NULL, &p, NULL), SHF_OK);
    assert_string_equal(p.region, "from-credentials");
    assert_string_equal(p.ca_bundle, "c");
    assert_string_equal(p.config.access_key_id, "config-id");
    assert_string_equal(p.credentials.access_key_id, "credentials-id");
    assert_null(strstr(p.looked_at, "no such"));
    shf_aws_profile_free(&p);
}

static void test_which_profile(void **state) {
    (void)state;
    struct shf_aws_profile p = {0};
    struct shf_error *error = NULL;
    write_both("[profile env]\nregion = env\n", "[arg]\nregion = arg\n");
    support_setenv("AWS_PROFILE", "env");
    assert_int_equal(shf_aws_profile_read(NULL, &p, NULL), SHF_OK);
    assert_string_equal(p.region, "env");
    assert_non_null(strstr(p.looked_at, "credentials (no such profile)"));
    shf_aws_profile_free(&p);
    assert_int_equal(shf_aws_profile_read("arg", &p, NULL), SHF_OK);
    assert_string_equal(p.region, "arg");
    shf_aws_profile_free(&p);
    assert_int_equal(shf_aws_profile_read("missing", &p, &error), SHF_E_INVALID);
    assert_null(p.name);
    assert_non_null(strstr(shf_error_message(error), home));
    support_expect_error(error, SHF_E_INVALID, "no AWS profile missing");
    assert_int_equal(shf_aws_profile_read("default", &p, NULL), SHF_OK); /* the default may be missing */
    shf_aws_profile_free(&p);
}

static void test_other_files(void **state) {
    (void)state;
    struct shf_aws_profile p = {0};
    char *config = support_path("%s/my-config", home), *credentials = support_path("%s/my-credentials", home);
    write_both("[default]\nregion = home\n", "[default]\naws_access_key_id = home\n");
    support_write_text(config, "[default]\nregion = mine\n");
    support_write_text(credentials, "[default]\naws_access_key_id = mine\n");
    support_setenv("AWS_CONFIG_FILE", config);
    support_setenv("AWS_SHARED_CREDENTIALS_FILE", credentials);
    assert_int_equal(shf_aws_profile_read(NULL, &p, NULL), SHF_OK);
    assert_string_equal(p.region, "mine");
    assert_string_equal(p.credentials.access_key_id, "mine");
    shf_aws_profile_free(&p);
    assert_int_equal(unsetenv("AWS_CONFIG_FILE"), 0);
    assert_int_equal(unsetenv("HOME"), 0);
    assert_int_equal(shf_aws_profile_read(NULL, &p, NULL), SHF_OK); /* no HOME: only the named file */
    assert_null(p.region);
    assert_string_equal(p.credentials.access_key_id, "mine");
    shf_aws_profile_free(&p);
    free(config);
    free(credentials);
}

static void expect_unreadable(const char *path, const char *part) {
    struct shf_aws_profile p = {0};
    struct shf_error *error = NULL;
    support_setenv("AWS_CONFIG_FILE", path);
    assert_int_equal(shf_aws_profile_read(NULL, &p, &error), SHF_E_ACCESS);
    assert_non_null(strstr(shf_error_message(error), path));
    assert_null(strstr(shf_error_message(error), "top-secret"));
    support_expect_error(error, SHF_E_ACCESS, part);
    assert_null(p.name);
}

static void test_files_that_can_not_be_read(void **state) {
    (void)state;
    char *path = support_path("%s/bad", home);
    support_write(path, "[default]\naws_secret_access_key = top-secret\n\0x", 46);
    expect_unreadable(path, "is no text");
    char *large = malloc((1u << 20) + 1);
    assert_non_null(large);
    memset(large, '\n', (1u << 20) + 1);
    support_write(path, large, (1u << 20) + 1);
    expect_unreadable(path, "larger than 1 MiB");
    support_write(path, large, 1u << 20);
    support_setenv("AWS_CONFIG_FILE", path);
    struct shf_aws_profile p = {0};
    assert_int_equal(shf_aws_profile_read(NULL, &p, NULL), SHF_OK);
    shf_aws_profile_free(&p);
    free(large);
    expect_unreadable(home, "can not be read"); /* a directory */
    if (geteuid() != 0) {                       /* root may read everything */
        assert_int_equal(chmod(path, 0), 0);
        expect_unreadable(path, "cannot read the AWS file");
    }
    free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_credentials_grammar),
        TEST(test_config_sections),
        TEST(test_settings),
        TEST(test_long_lines),
        TEST(test_the_files_of_home),
        TEST(test_which_profile),
        TEST(test_other_files),
        TEST(test_files_that_can_not_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
