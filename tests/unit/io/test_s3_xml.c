/* What S3 says in XML: pages of listings, and error bodies, as sent and as an enemy would send them. */
#include "support.h"

#include "base/limits.h"
#include "io/s3_xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define END "</ListBucketResult>"
#define ENTRY(key) "<Contents><Key>" key "</Key><Size>1</Size></Contents>"
#define FOLDER(prefix) "<CommonPrefixes><Prefix>" prefix "</Prefix></CommonPrefixes>"
#define MORE(token) "<IsTruncated>true</IsTruncated><NextContinuationToken>" token "</NextContinuationToken>"

static shf_status add(struct shf_s3_listing *listing, const char *page, struct shf_error **error) {
    return shf_s3_listing_add(listing, page, strlen(page), 100, error);
}

static void expect_refused(const char *page, shf_status status, const char *part) {
    struct shf_s3_listing listing = {0};
    struct shf_error *error = NULL;
    assert_int_equal(add(&listing, page, &error), status);
    support_expect_error(error, status, part);
    shf_s3_listing_free(&listing);
}

static void test_two_pages(void **state) {
    (void)state;
    struct shf_s3_listing listing = {0};
    assert_int_equal(add(&listing,
                         "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" ROOT "<Name>b</Name><Prefix>m/</Prefix>" ENTRY(
                             "m/z") ENTRY("m/a&amp;b") FOLDER("m/sub/") MORE("to&#43;ken==") END,
                         NULL),
                     SHF_OK);
    assert_true(listing.is_truncated);
    assert_string_equal(listing.continuation, "to+ken==");
    assert_int_equal(listing.found.count, 3);
    assert_int_equal(
        add(&listing, ROOT "<IsTruncated>false</IsTruncated>" ENTRY("m/") ENTRY("m/b") ENTRY("m/z") END, NULL), SHF_OK);
    assert_false(listing.is_truncated);
    assert_null(listing.continuation);
    assert_int_equal(shf_s3_listing_tidy(&listing, "m/", NULL), SHF_OK);
    static const char *const names[] = {"a&b", "b", "sub/", "z"}; /* sorted; "m/" itself and the second m/z are gone */
    assert_int_equal(listing.found.count, SUPPORT_COUNT(names));
    for (size_t i = 0; i < listing.found.count; i++) assert_string_equal(listing.found.names[i], names[i]);
    shf_s3_listing_free(&listing);
    assert_null(listing.found.names);
}

static void test_an_empty_listing(void **state) {
    (void)state;
    struct shf_s3_listing listing = {0};
    assert_int_equal(add(&listing, ROOT END, NULL), SHF_OK);
    assert_int_equal(shf_s3_listing_tidy(&listing, "x/", NULL), SHF_OK);
    assert_int_equal(listing.found.count, 0);
    assert_false(listing.is_truncated);
    shf_s3_listing_free(&listing);
}

/* EncodingType may stand behind the names, and counts for its own page only. */
static void test_encoded_names(void **state) {
    (void)state;
    struct shf_s3_listing listing = {0};
    assert_int_equal(add(&listing,
                         ROOT ENTRY("a%2Bb+c%3d") FOLDER("%E6%97%A5/") "<EncodingType>url</EncodingType>" MORE("t") END,
                         NULL),
                     SHF_OK);
    assert_int_equal(add(&listing, ROOT ENTRY("d%2Be+f") END, NULL), SHF_OK);
    assert_int_equal(listing.found.count, 3);
    assert_string_equal(listing.found.names[0], "a+b c=");
    assert_string_equal(listing.found.names[1], "\xe6\x97\xa5/");
    assert_string_equal(listing.found.names[2], "d%2Be+f");
    shf_s3_listing_free(&listing);
    static const char *const broken[] = {"a%", "a%2", "a%zz", "a%00b", "%"};
    for (size_t i = 0; i < SUPPORT_COUNT(broken); i++) {
        char page[512];
        (void)snprintf(page, sizeof page, ROOT "<EncodingType>url</EncodingType><Contents><Key>%s</Key></Contents>" END,
                       broken[i]);
        expect_refused(page, SHF_E_STORE, "not encoded");
    }
}

static void test_what_is_no_listing(void **state) {
    (void)state;
    static const char *const pages[] = {
        "",
        " ",
        "not XML",
        "<html><body>" ENTRY("k") "</body></html>",
        "<Error><Code>SlowDown</Code></Error>",
        "<Other>" ROOT ENTRY("k") END "</Other>",            /* not the root */
        ROOT ENTRY("k"),                                     /* cut */
        ROOT "<Contents><Key>k</Contents></Key>" END,        /* crossed */
        ROOT ENTRY("k") END "<more/>",                       /* two roots */
        ROOT "<Contents><Key>\xff\xfe</Key></Contents>" END, /* not UTF-8 */
        ROOT "<Contents><Key>a\x01"
             "b</Key></Contents>" END,                          /* no XML character */
        ROOT "<Contents><Key>&undefined;</Key></Contents>" END, /* an entity of nobody */
        "<!DOCTYPE ListBucketResult>" ROOT END,                 /* a document type */
        "<ListBucketResultOfAVeryLongNameThatIsCut></ListBucketResultOfAVeryLongNameThatIsCut>",
    };
    for (size_t i = 0; i < SUPPORT_COUNT(pages); i++) expect_refused(pages[i], SHF_E_STORE, "no S3 listing");
}

static void test_entities_are_refused(void **state) {
    (void)state;
    expect_refused("<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"
                   "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]>" ROOT ENTRY("&c;") END,
                   SHF_E_STORE, "no S3 listing");
    expect_refused("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>" ROOT ENTRY("&e;") END, SHF_E_STORE,
                   "no S3 listing");
    expect_refused("<!DOCTYPE x SYSTEM \"http://127.0.0.1:1/x.dtd\">" ROOT END, SHF_E_STORE, "no S3 listing");
}

static void test_depth_is_bounded(void **state) {
    (void)state;
    static char page[200000];
    char *to = page + snprintf(page, sizeof page, ROOT);
    for (int i = 0; i < 40000; i++) to += snprintf(to, 4, "<a>");
    expect_refused(page, SHF_E_STORE, "no S3 listing");
    /* 16 levels are allowed: what is unknown is passed over */
    struct shf_s3_listing listing = {0};
    assert_int_equal(add(&listing,
                         ROOT "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>x</a></a></a></a></a></a></a>"
                              "</a></a></a></a></a></a></a></a>" ENTRY("k") END,
                         NULL),
                     SHF_OK);
    assert_int_equal(listing.found.count, 1);
    shf_s3_listing_free(&listing);
}

static void test_sizes_are_bounded(void **state) {
    (void)state;
    char *page = malloc(20000);
    char *key = malloc(9000);
    assert_true(page && key);
    memset(key, 'k', 8192);
    key[8192] = '\0';
    (void)snprintf(page, 20000, ROOT "<Contents><Key>%s</Key></Contents>" END, key);
    struct shf_s3_listing listing = {0};
    assert_int_equal(add(&listing, page, NULL), SHF_OK);
    shf_s3_listing_free(&listing);
    (void)snprintf(page, 20000, ROOT "<Contents><Key>%sk</Key></Contents>" END, key);
    expect_refused(page, SHF_E_STORE, "no S3 listing");
    free(key);
    free(page);

    char *huge = malloc(SHF_LIMIT_XML_BYTES + 1);
    assert_non_null(huge);
    memset(huge, ' ', SHF_LIMIT_XML_BYTES + 1);
    memcpy(huge, ROOT END, strlen(ROOT END));
    assert_int_equal(shf_s3_listing_add(&listing, huge, SHF_LIMIT_XML_BYTES, 100, NULL), SHF_OK);
    assert_int_equal(shf_s3_listing_add(&listing, huge, SHF_LIMIT_XML_BYTES + 1, 100, NULL), SHF_E_STORE);
    shf_s3_listing_free(&listing);
    free(huge);
}

static void test_the_number_of_names_is_bounded(void **state) {
    (void)state;
    struct shf_s3_listing listing = {0};
    struct shf_error *error = NULL;
    static const char page[] = ROOT ENTRY("a") ENTRY("b") FOLDER("c/") END;
    assert_int_equal(shf_s3_listing_add(&listing, page, strlen(page), 3, &error), SHF_OK);
    assert_int_equal(shf_s3_listing_add(&listing, page, strlen(page), 5, &error), SHF_E_LIMIT);
    support_expect_error(error, SHF_E_LIMIT, "more than 5 names");
    shf_s3_listing_free(&listing);
}

/* Else the same page would be asked for again and again. */
static void test_a_next_page_must_be_named(void **state) {
    (void)state;
    struct shf_s3_listing listing = {0};
    struct shf_error *error = NULL;
    expect_refused(ROOT "<IsTruncated>true</IsTruncated>" END, SHF_E_STORE, "names no next page");
    expect_refused(ROOT MORE("") END, SHF_E_STORE, "names no next page");
    expect_refused(ROOT "<IsTruncated>true</IsTruncated><Contents><NextContinuationToken>t</NextContinuationToken>"
                        "</Contents>" END,
                   SHF_E_STORE, "names no next page");
    assert_int_equal(add(&listing, ROOT MORE("same") END, NULL), SHF_OK);
    assert_int_equal(add(&listing, ROOT MORE("same") END, &error), SHF_E_STORE);
    support_expect_error(error, SHF_E_STORE, "names no next page");
    shf_s3_listing_free(&listing);
}

static void test_names_must_lie_below_the_prefix(void **state) {
    (void)state;
    static const char *const pages[] = {ROOT ENTRY("other/k") END, ROOT ENTRY("m/sub/k") END, ROOT ENTRY("m") END,
                                        ROOT FOLDER("m/a/b/") END, ROOT ENTRY("M/k") END};
    for (size_t i = 0; i < SUPPORT_COUNT(pages); i++) {
        struct shf_s3_listing listing = {0};
        struct shf_error *error = NULL;
        assert_int_equal(add(&listing, pages[i], NULL), SHF_OK);
        assert_int_equal(shf_s3_listing_tidy(&listing, "m/", &error), SHF_E_STORE);
        support_expect_error(error, SHF_E_STORE, "not directly below");
        shf_s3_listing_free(&listing);
    }
}

static void test_only_entries_are_names(void **state) {
    (void)state;
    struct shf_s3_listing listing = {0};
    assert_int_equal(add(&listing,
                         ROOT
                         "<Prefix>p</Prefix><Key>k</Key><Contents><Prefix>q</Prefix><Owner><Key>o</Key>"
                         "</Owner></Contents><CommonPrefixes><Key>x</Key></CommonPrefixes>" ENTRY("<![CDATA[a<b]]>") END,
                         NULL),
                     SHF_OK);
    assert_int_equal(listing.found.count, 1);
    assert_string_equal(listing.found.names[0], "a<b");
    shf_s3_listing_free(&listing);
}

static void parse(const char *text, struct shf_s3_problem *problem) {
    memset(problem, 0x55, sizeof *problem);
    shf_s3_problem_parse(text, strlen(text), problem);
}

static void test_problems(void **state) {
    (void)state;
    struct shf_s3_problem problem;
    parse("<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>The key\n does \x7f not exist</Message>"
          "<Region>eu-west-1</Region><RequestId>1</RequestId></Error>",
          &problem);
    assert_string_equal(problem.code, "NoSuchKey");
    assert_string_equal(problem.message, "The key does  not exist");
    assert_string_equal(problem.region, "eu-west-1");
    /* What came before a cut is kept. */
    parse("<Error><Code>SlowDown</Code><Message>cut in the", &problem);
    assert_string_equal(problem.code, "SlowDown");
    assert_string_equal(problem.message, "");
    static const char *const nothing[] = {"", "<html><Code>x</Code></html>", "gibberish",
                                          "<!DOCTYPE Error [<!ENTITY a \"b\">]><Error><Code>&a;</Code></Error>"};
    for (size_t i = 0; i < SUPPORT_COUNT(nothing); i++) {
        parse(nothing[i], &problem);
        assert_string_equal(problem.code, "");
        assert_string_equal(problem.message, "");
        assert_string_equal(problem.region, "");
    }
}

static void test_long_problems_are_cut(void **state) {
    (void)state;
    struct shf_s3_problem problem;
    char text[2000], *to = text;
    to += sprintf(to, "<Error><Code>");
    for (int i = 0; i < 100; i++) *to++ = 'c';
    to += sprintf(to, "</Code><Message>");
    for (int i = 0; i < 500; i++) *to++ = 'm';
    (void)sprintf(to, "</Message></Error>");
    parse(text, &problem);
    assert_int_equal(strlen(problem.code), sizeof problem.code - 1);
    assert_int_equal(strlen(problem.message), sizeof problem.message - 1);
}

static struct shf_s3_upload_answer answer_of(const char *xml, shf_status status) {
    struct shf_s3_upload_answer answer;
    memset(&answer, 0xaa, sizeof answer);
    assert_int_equal(shf_s3_upload_answer_parse(xml, strlen(xml), &answer), status);
    return answer;
}

static void test_upload_answers(void **state) {
    (void)state;
    struct shf_s3_upload_answer answer =
        answer_of("<InitiateMultipartUploadResult "
                  "xmlns=\"x\"><Key>k</Key><UploadId>a&amp;/+=</UploadId><E><UploadId>no</UploadId></E>"
                  "</InitiateMultipartUploadResult>",
                  SHF_OK);
    assert_true(answer.is_begun && !answer.is_complete);
    assert_string_equal(answer.upload_id, "a&/+=");
    assert_string_equal(answer.etag, "");
    answer =
        answer_of("<CompleteMultipartUploadResult><ETag>&quot;e-2&quot;</ETag></CompleteMultipartUploadResult>", SHF_OK);
    assert_true(answer.is_complete && !answer.is_begun);
    assert_string_equal(answer.etag, "\"e-2\"");
    answer = answer_of("<Error><ETag>e</ETag><UploadId>u</UploadId></Error>", SHF_OK);
    assert_false(answer.is_begun || answer.is_complete || *answer.etag || *answer.upload_id);
    answer = answer_of("<CompleteMultipartUploadResult><ETag>e</ETag>", SHF_E_STORE);
    assert_false(answer.is_complete || *answer.etag);
    answer = answer_of("", SHF_E_STORE);
    assert_false(answer.is_complete);
    char *xml =
        support_path("<InitiateMultipartUploadResult><UploadId>%01024d</UploadId></InitiateMultipartUploadResult>", 1);
    answer = answer_of(xml, SHF_OK); /* longer than its place: absent */
    assert_true(answer.is_begun);
    assert_string_equal(answer.upload_id, "");
    free(xml);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upload_answers),
        cmocka_unit_test(test_two_pages),
        cmocka_unit_test(test_an_empty_listing),
        cmocka_unit_test(test_encoded_names),
        cmocka_unit_test(test_what_is_no_listing),
        cmocka_unit_test(test_entities_are_refused),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_sizes_are_bounded),
        cmocka_unit_test(test_the_number_of_names_is_bounded),
        cmocka_unit_test(test_a_next_page_must_be_named),
        cmocka_unit_test(test_names_must_lie_below_the_prefix),
        cmocka_unit_test(test_only_entries_are_names),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_long_problems_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
