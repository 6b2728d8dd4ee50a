#include "cli_test.h"

#include "cli/config.h"
#include "cli/notice.h"
#include "cli/settings.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/shf-config-XXXXXX";
static char reader_path[64], credentials_path[64];

static void write_file(const char *path, const char *text, mode_t mode) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, mode);
}

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(reader_path, sizeof reader_path, "%s/reader.toml", folder);
    snprintf(credentials_path, sizeof credentials_path, "%s/credentials.toml", folder);
    setenv("HOME", folder, 1);
    unsetenv("SHARDY_CURRENT");
    unsetenv("SHARDY_CONFIG");
    unsetenv("SHARDY_CREDENTIALS");
    cli_notice_setup(true, 0, false);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(reader_path);
    unlink(credentials_path);
    return rmdir(folder);
}

static char *read_reader(const char *text, struct cli_config_file *file, struct cli_reader_config *config) {
    write_file(reader_path, text, 0644);
    char *error = cli_config_file_load(reader_path, "SHARDY_CONFIG", "reader.toml", file);
    return error ? error : cli_reader_config_read(file, config);
}

static void reader_file(void **state) {
    struct cli_config_file file;
    struct cli_reader_config config;
    (void)state;
    assert_right(read_reader(
        "[reader]\ncurrent_url = \"s3://b/p/_CURRENT\"\ns3_prefix = \"\"\nlocal_root = '/var/x'\n"
        "max_workers = 8\nmax_open_shards = 5\ncredentials_profile = \"prod\"\nreader_backend = \"sqlite\"\n"
        "sqlite_mode = \"download\"\nsqlite_auto_per_shard_threshold_bytes = 0\n"
        "sqlite_auto_total_budget_bytes = 1_000_000\nthread_safety = \"pool\"\n"
        "pool_checkout_timeout = 30\nslate_env_file = \"x\"\n"
        "[output]\nformat = \"text\"\nvalue_encoding = \"utf8\"\nnull_repr = \"\"\n"
        "[manifest_store]\nbackend = \"s3\"\n",
        &file, &config));
    assert_string_equal(config.current_url, "s3://b/p/_CURRENT");
    assert_null(config.s3_prefix);
    assert_string_equal(config.local_root, "/var/x");
    assert_int_equal(config.max_workers, 8);
    assert_int_equal(config.max_open_shards, 5);
    assert_string_equal(config.profile, "prod");
    assert_int_equal(config.sqlite_mode, SHF_ACCESS_DOWNLOAD);
    assert_true(config.has_per_shard && config.per_shard_bytes == 0);
    assert_true(config.has_total && config.total_bytes == 1000000);
    assert_int_equal(config.format, CLI_TEXT);
    assert_int_equal(config.encoding, CLI_UTF8);
    assert_string_equal(config.null_repr, "");
    for (size_t i = 0; i < file.toml.entry_count; i++) assert_true(file.toml.entries[i].used);
    cli_config_file_free(&file);
}

static void wrong_reader_files(void **state) {
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"[reader]\ncurrent_url = 5\n", "reader.toml: line 2: [reader] current_url must be text in quotes"},
        {"[reader]\nmax_workers = 0\n", "line 2: [reader] max_workers must be an integer from 1 to 65536"},
        {"[reader]\nmax_workers = \"4\"\n", "max_workers must be an integer"},
        {"[reader]\nmax_open_shards = 0\n", "line 2: [reader] max_open_shards must be an integer from 1 to 65536"},
        {"[reader]\nsqlite_mode = \"mmap\"\n", "sqlite_mode must be"},
        {"[output]\nformat = \"xml\"\n", "[output] format must be"},
        {"[output]\nvalue_encoding = true\n", "value_encoding must be"},
        {"[manifest_store]\nbackend = \"postgres\"\ndsn = \"secret\"\n", "backend \"postgres\" is not supported"},
        {"[manifest_store]\nbackend = \"redis\"\n", "backend must be \"s3\""},
        {"[reader\n", "reader.toml: line 1: ']' expected"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cli_config_file file = {0};
        struct cli_reader_config config;
        assert_wrong(read_reader(cases[i].text, &file, &config), cases[i].part);
        cli_config_file_free(&file);
    }
}

static char *read_credentials(const char *text, const char *profile, shf_s3_options *s3, struct cli_config_file *file) {
    SHF_INIT(s3);
    write_file(credentials_path, text, 0600);
    char *error = cli_config_file_load(credentials_path, "SHARDY_CREDENTIALS", "credentials.toml", file);
    return error ? error : cli_credentials_read(file, profile, s3);
}

static void credentials_file(void **state) {
    struct cli_config_file file;
    shf_s3_options s3;
    (void)state;
    assert_right(read_credentials("[default]\nendpoint_url = \"http://127.0.0.1:9000\"\nregion = \"eu-1\"\n"
                                  "access_key_id = \"AK\"\nsecret_access_key = \"SK\"\nsession_token = \"\"\n"
                                  "addressing_style = \"path\"\nsignature_version = \"s3v4\"\nverify_ssl = false\n"
                                  "connect_timeout = 2\nread_timeout = 5\n[other]\nverify_ssl = '/ca.pem'\n"
                                  "max_attempts = 1\n",
                                  "default", &s3, &file));
    assert_string_equal(s3.endpoint_url, "http://127.0.0.1:9000");
    assert_string_equal(s3.access_key_id, "AK");
    assert_null(s3.session_token);
    assert_int_equal(s3.addressing, SHF_ADDRESSING_PATH);
    assert_int_equal(s3.insecure_skip_verify, 1);
    assert_int_equal(s3.connect_timeout_ms, 2000);
    assert_int_equal(s3.read_timeout_ms, 5000);
    assert_int_equal(s3.max_attempts, 3);
    assert_false(file.wide_mode);
    SHF_INIT(&s3);
    assert_right(cli_credentials_read(&file, "other", &s3));
    assert_string_equal(s3.ca_bundle, "/ca.pem");
    assert_int_equal(s3.max_attempts, 1);
    assert_wrong(cli_credentials_read(&file, "third", &s3), "there is no profile [third]");
    cli_config_file_free(&file);
    chmod(credentials_path, 0640);
    assert_right(cli_config_file_load(credentials_path, "SHARDY_CREDENTIALS", "credentials.toml", &file));
    assert_true(file.wide_mode);
    cli_config_file_free(&file);
}

static void wrong_credentials(void **state) {
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"[default]\naccess_key_id = \"AK\"\n", "needs both access_key_id and secret_access_key"},
        {"[default]\naddressing_style = \"host\"\n", "addressing_style must be"},
        {"[default]\nsignature_version = \"s3\"\n", "signature_version must be"},
        {"[default]\nverify_ssl = 1\n", "verify_ssl must be"},
        {"[default]\nmax_attempts = 0\n", "max_attempts must be"},
        {"[default]\nread_timeout = \"30\"\n", "read_timeout must be"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cli_config_file file = {0};
        shf_s3_options s3;
        assert_wrong(read_credentials(cases[i].text, "default", &s3, &file), cases[i].part);
        cli_config_file_free(&file);
    }
}

static void s3_options(void **state) {
    shf_s3_options s3;
    (void)state;
    SHF_INIT(&s3);
    assert_right(cli_s3_option_apply("connect_timeout", "1.5", &s3));
    assert_right(cli_s3_option_apply("region_name", "a", &s3));
    assert_right(cli_s3_option_apply("anonymous", "yes", &s3));
    assert_right(cli_s3_option_apply("verify_ssl", "/ca.pem", &s3));
    assert_true(s3.connect_timeout_ms == 1500 && !strcmp(s3.region, "a") && s3.anonymous == 1);
    assert_string_equal(s3.ca_bundle, "/ca.pem");
    assert_right(cli_s3_option_apply("verify_ssl", "no", &s3));
    assert_true(!s3.ca_bundle && s3.insecure_skip_verify == 1);
    assert_right(cli_s3_option_apply("region", "b", &s3));
    assert_string_equal(s3.region, "b");
    assert_wrong(cli_s3_option_apply("max_attempts", "0", &s3), "'0' is not a number from 1 to 100");
    assert_wrong(cli_s3_option_apply("addressing_style", "x", &s3), "'x' is not auto, path or virtual");
    assert_wrong(cli_s3_option_apply("anonymous", "maybe", &s3), "'maybe' is not true or false");
    assert_wrong(cli_s3_option_apply("read_timeout", "86401", &s3), "is not a number of seconds");
    assert_wrong(cli_s3_option_apply("color", "x", &s3), "--s3-option color: unknown");
    char *error = cli_s3_option_apply("secret_access_key", "hush", &s3);
    assert_non_null(strstr(error, "other users can see the command line"));
    assert_null(strstr(error, "hush"));
    free(error);
}

static void settings(void **state) {
    struct cli_options options = {.sqlite_mode = -1, .config = reader_path, .credentials = credentials_path};
    const char *pair = "region=from-flag";
    struct cli_settings s;
    bool usage;
    (void)state;
    options.s3_options = (struct cli_list){&pair, 1};
    write_file(
        reader_path,
        "[reader]\ncurrent_url = \"/from/file\"\nmax_workers = 3\nmax_open_shards = 2\n[output]\nformat = \"json\"\n",
        0644);
    write_file(credentials_path, "[default]\nregion = \"from-file\"\n", 0600);
    assert_right(cli_settings_load(&options, &s, &usage));
    assert_string_equal(s.reader.url, "/from/file");
    assert_string_equal(s.s3.region, "from-flag");
    assert_int_equal(s.reader.max_concurrency, 3);
    assert_int_equal(s.reader.max_open_shards, 2);
    assert_int_equal(s.format, CLI_JSON);
    assert_int_equal(s.encoding, CLI_BASE64);
    assert_string_equal(s.null_repr, "null");
    assert_int_equal(s.reader.timeout_ms, 0);
    cli_settings_free(&s);

    setenv("SHARDY_CURRENT", "/from/environment", 1);
    options.has_timeout = options.has_offset = options.has_per_shard = true;
    options.format = CLI_TEXT;
    assert_right(cli_settings_load(&options, &s, &usage));
    assert_string_equal(s.reader.url, "/from/environment");
    assert_int_equal(s.reader.timeout_ms, -1);    /* --timeout 0: none */
    assert_int_equal(s.reader.history_offset, 1); /* --offset 0: the newest */
    assert_int_equal(s.reader.auto_per_shard_bytes, 1);
    assert_int_equal(s.format, CLI_TEXT);
    cli_settings_free(&s);

    options.current_url = "/from/flag";
    assert_right(cli_settings_load(&options, &s, &usage));
    assert_string_equal(s.reader.url, "/from/flag");
    cli_settings_free(&s);
    unsetenv("SHARDY_CURRENT");
    options.current_url = NULL;

    write_file(reader_path, "[reader]\ns3_prefix = \"s3://b/p\"\n", 0644);
    assert_right(cli_settings_load(&options, &s, &usage));
    assert_string_equal(s.reader.url, "s3://b/p");
    cli_settings_free(&s);
    write_file(reader_path, "", 0644);
    assert_wrong(cli_settings_load(&options, &s, &usage), "which snapshot?");
    assert_true(usage);
    cli_settings_free(&s);
    options.config = "/nowhere/reader.toml";
    assert_wrong(cli_settings_load(&options, &s, &usage), "/nowhere/reader.toml: No such file");
    assert_false(usage);
    cli_settings_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_file),       cmocka_unit_test(wrong_reader_files), cmocka_unit_test(credentials_file),
        cmocka_unit_test(wrong_credentials), cmocka_unit_test(s3_options),         cmocka_unit_test(settings),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
