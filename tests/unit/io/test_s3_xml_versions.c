/* The versions of the objects in listings of S3: whose an ETag is, how it is written, and what is none. */
#include "support.h"

#include "io/s3_xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define END "</ListBucketResult>"
#define ENTRY(key, etag) "<Contents><Key>" key "</Key><ETag>" etag "</ETag><Size>1</Size></Contents>"
#define MORE(token) "<IsTruncated>true</IsTruncated><NextContinuationToken>" token "</NextContinuationToken>"

struct expected {
    const char *name, *version;
};

static void add(struct shf_s3_listing *listing, const char *page) {
    struct shf_error *error = NULL;
    if (shf_s3_listing_add(listing, page, strlen(page), 100, &error)) fail_msg("%s", shf_error_message(error));
}

static void expect(struct shf_s3_listing *listing, const char *prefix, const struct expected *expected, size_t count) {
    const struct shf_store_names *found = &listing->found;
    assert_int_equal(shf_s3_listing_tidy(listing, prefix, NULL), SHF_OK);
    assert_int_equal(found->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(found->names[i], expected[i].name);
        if (!expected[i].version) {
            if (found->versions[i]) fail_msg("%s has the version %s", found->names[i], found->versions[i]);
        } else {
            assert_non_null(found->versions[i]);
            assert_string_equal(found->versions[i], expected[i].version);
        }
    }
    shf_s3_listing_free(listing);
    assert_null(found->versions);
}

static void expect_of_page(const char *page, const struct expected *expected, size_t count) {
    struct shf_s3_listing listing = {.found.wants_versions = true};
    add(&listing, page);
    expect(&listing, "", expected, count);
}

static void test_elements_in_any_order(void **state) {
    (void)state;
    static const struct expected expected[] = {{"a", "\"1\""}, {"b", "\"2\""}, {"c", "\"3\""},
                                               {"d", NULL},    {"e/", NULL},   {"f", "\"6\""}};
    expect_of_page(ROOT
                   "<Contents><Key>f</Key><ETag>\"6\"</ETag></Contents>"
                   "<Contents><ETag>&quot;1&quot;</ETag><Key>a</Key></Contents>"
                   "<CommonPrefixes><Prefix>e/</Prefix><ETag>\"5\"</ETag></CommonPrefixes>"
                   "<Contents><Size>1</Size><Key>b</Key><Owner><ID>x</ID></Owner><ETag>&#34;2&#34;</ETag></Contents>"
                   "<Contents><Key>d</Key></Contents>"
                   "<Contents>\n <Key>c</Key>\n <ETag><![CDATA[\"3\"]]></ETag>\n</Contents>" END,
                   expected, SUPPORT_COUNT(expected));
}

/* An ETag is that of the entry that it stands in, or nobody's. */
static void test_whose_an_etag_is(void **state) {
    (void)state;
    static const struct expected expected[] = {{"a", NULL}, {"b", NULL}, {"c", NULL},
                                               {"d", NULL}, {"e", NULL}, {"f/", NULL}};
    expect_of_page(ROOT "<Contents><ETag>\"none\"</ETag></Contents><Contents><Key>a</Key></Contents>"
                        "<ETag>\"root\"</ETag><Contents><Key>b</Key><Owner><ETag>\"owner\"</ETag></Owner></Contents>"
                        "<Contents><Key>c</Key><ETag>\"c or d\"</ETag><Key>d</Key></Contents>"
                        "<Contents><Key>e</Key></Contents><Other><Key>x</Key><ETag>\"other\"</ETag></Other>"
                        "<Contents><ETag>\"none\"</ETag></Contents>"
                        "<CommonPrefixes><Prefix>f/</Prefix></CommonPrefixes>" END,
                   expected, SUPPORT_COUNT(expected));
}

static void test_how_an_etag_is_written(void **state) {
    (void)state;
    static const struct {
        const char *text, *version;
    } cases[] = {
        {"\"0123456789abcdef0123456789abcdef-3\"", "\"0123456789abcdef0123456789abcdef-3\""},
        {"0123456789abcdef0123456789abcdef", "\"0123456789abcdef0123456789abcdef\""}, /* as some servers write it */
        {"W/\"weak\"", "W/\"weak\""},
        {"W/", "\"W/\""},
        {"\"\"", "\"\""},
        {"a%2Bb+c&lt;", "\"a%2Bb+c<\""}, /* only names are encoded */
        {"\"!#~\"", "\"!#~\""},
        {"", NULL},
        {"\"", NULL},
        {"W/\"", NULL},
        {"\"a", NULL},
        {"a\"", NULL},
        {"\"a\"b\"", NULL},
        {"\"a b\"", NULL},
        {" \"a\"", NULL},
        {"\"a\n\"", NULL},
        {"\"\xc3\xa4\"", NULL},
        {"\"\x7f\"", NULL},
    };
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        const struct expected expected = {"k l", cases[i].version};
        char page[512];
        (void)snprintf(page, sizeof page, ROOT "<EncodingType>url</EncodingType>" ENTRY("k+l", "%s") END, cases[i].text);
        expect_of_page(page, &expected, 1);
    }
    static const struct expected last = {"k", "\"2\""};
    expect_of_page(ROOT "<Contents><Key>k</Key><ETag>\"1\"</ETag><ETag>\"2\"</ETag></Contents>" END, &last, 1);
}

/* An object that is called as a directory is a directory. */
static void test_names_of_directories(void **state) {
    (void)state;
    static const struct expected expected[] = {{"a/", NULL}, {"b/", NULL}, {"c", "\"3\""}};
    struct shf_s3_listing listing = {.found.wants_versions = true};
    add(&listing, ROOT "<EncodingType>url</EncodingType>" ENTRY("p%2Fa%2F", "1") ENTRY("p/b/", "2") ENTRY("p%2Fc", "3")
                      ENTRY("p/", "4") "<CommonPrefixes><Prefix>p%2Fa%2F</Prefix></CommonPrefixes>" END);
    expect(&listing, "p/", expected, SUPPORT_COUNT(expected));
}

/* Versions follow their names over pages; of an object that is told of twice, what was said last counts. */
static void test_pages_and_doubles(void **state) {
    (void)state;
    static const struct expected expected[] = {{"a", "\"1\""}, {"b", NULL},       {"c", "\"new\""},
                                               {"d", "\"4\""}, {"e", "\"told\""}, {"z", "\"26\""}};
    struct shf_s3_listing listing = {.found.wants_versions = true};
    add(&listing, ROOT ENTRY("m/z", "26") ENTRY("m/c", "old")
                      ENTRY("m/e", "told") "<Contents><Key>m/b</Key></Contents>" MORE("t") END);
    add(&listing, ROOT MORE("u") END);
    add(&listing, ROOT ENTRY("m/", "prefix") ENTRY("m/d", "4") ENTRY("m/c", "newer") ENTRY("m/a", "1") MORE("v") END);
    add(&listing, ROOT ENTRY("m/c", "new") "<Contents><Key>m/e</Key></Contents>" ENTRY("m/d", "4") END);
    expect(&listing, "m/", expected, SUPPORT_COUNT(expected));
}

static char *page_of(size_t digits, const char *quote) {
    return support_path(ROOT ENTRY("k", "%s%0*d%s") "<Contents><Key>l</Key></Contents>" END, quote, (int)digits, 1,
                        quote);
}

/* As long as in the header of a GET, and no longer. */
static void test_long_etags(void **state) {
    (void)state;
    for (size_t size = SHF_S3_ETAG_BYTES - 3; size <= SHF_S3_ETAG_BYTES + 1; size++) {
        char version[SHF_S3_ETAG_BYTES + 8];
        (void)snprintf(version, sizeof version, "\"%0*d\"", (int)size - 2, 1);
        const struct expected expected[] = {{"k", size < SHF_S3_ETAG_BYTES ? version : NULL}, {"l", NULL}};
        for (int quoted = 0; quoted < 2; quoted++) {
            char *page = page_of(size - 2, quoted ? "\"" : "");
            expect_of_page(page, expected, 2);
            free(page);
        }
    }
    char *page = page_of(8192, "\"");
    struct shf_s3_listing listing = {.found.wants_versions = true};
    assert_int_equal(shf_s3_listing_add(&listing, page, strlen(page), 100, NULL), SHF_E_STORE);
    shf_s3_listing_free(&listing);
    free(page);
}

static void test_all_together_are_bounded(void **state) {
    (void)state;
    static const char page[] = ROOT ENTRY("key", "etag") END; /* 3 bytes, and 6 with the quotes */
    struct shf_error *error = NULL;
    struct shf_s3_listing listing = {.found.wants_versions = true, .bytes = SHF_S3_LISTING_BYTES - 9};
    add(&listing, page);
    assert_int_equal(listing.bytes, SHF_S3_LISTING_BYTES);
    shf_s3_listing_free(&listing);
    listing = (struct shf_s3_listing){.found.wants_versions = true, .bytes = SHF_S3_LISTING_BYTES - 8};
    assert_int_equal(shf_s3_listing_add(&listing, page, strlen(page), 100, &error), SHF_E_LIMIT);
    support_expect_error(error, SHF_E_LIMIT, "too long");
    shf_s3_listing_free(&listing);
    listing = (struct shf_s3_listing){.bytes = SHF_S3_LISTING_BYTES - 3}; /* what is not wanted takes no room */
    add(&listing, page);
    assert_null(listing.found.versions);
    shf_s3_listing_free(&listing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements_in_any_order),    cmocka_unit_test(test_whose_an_etag_is),
        cmocka_unit_test(test_how_an_etag_is_written),   cmocka_unit_test(test_names_of_directories),
        cmocka_unit_test(test_pages_and_doubles),        cmocka_unit_test(test_long_etags),
        cmocka_unit_test(test_all_together_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
