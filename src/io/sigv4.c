#include "io/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <time.h>

const char shf_sigv4_empty_payload[SHF_SIGV4_HEX_BYTES] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static bool is_unreserved(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

void shf_sigv4_encode(struct shf_text *out, const char *text, bool keep_slashes) {
    static const char digits[] = "0123456789ABCDEF";
    while (*text) {
        size_t plain = 0;
        while (is_unreserved(text[plain]) || (keep_slashes && text[plain] == '/')) plain++;
        shf_text_add(out, text, plain);
        text += plain;
        if (!*text) return;
        unsigned char c = (unsigned char)*text++;
        const char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};
        shf_text_add(out, escaped, sizeof escaped);
    }
}

void shf_sigv4_time(int64_t wall_us, char out[SHF_SIGV4_TIME_BYTES]) {
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) || strftime(out, SHF_SIGV4_TIME_BYTES, "%Y%m%dT%H%M%SZ", &parts) == 0) {
        memcpy(out, "19700101T000000Z", SHF_SIGV4_TIME_BYTES); /* a clock beyond the year 9999: the server will say so */
    }
}

static bool hash_hex(const struct shf_text *text, char out[SHF_SIGV4_HEX_BYTES]) {
    uint8_t digest[SHF_SIGV4_KEY_BYTES];
    unsigned size = sizeof digest;
    if (text->failed || EVP_Digest(text->data, text->size, digest, &size, EVP_sha256(), NULL) != 1) return false;
    shf_hex_encode(digest, sizeof digest, out);
    return true;
}

static bool keyed_hash(const void *key, size_t key_size, const char *text, size_t size, uint8_t out[SHF_SIGV4_KEY_BYTES]) {
    unsigned written = SHF_SIGV4_KEY_BYTES;
    return HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)text, size, out, &written) != NULL;
}

bool shf_sigv4_derive_key(const char *secret_access_key, const char *time, const char *region, const char *service,
                          uint8_t out[SHF_SIGV4_KEY_BYTES]) {
    struct shf_text seed = {0};
    uint8_t a[SHF_SIGV4_KEY_BYTES], b[SHF_SIGV4_KEY_BYTES];
    shf_text_format(&seed, "AWS4%s", secret_access_key);
    bool ok = !seed.failed && keyed_hash(seed.data, seed.size, time, SHF_SIGV4_DATE_BYTES, a) &&
              keyed_hash(a, sizeof a, region, strlen(region), b) &&
              keyed_hash(b, sizeof b, service, strlen(service), a) &&
              keyed_hash(a, sizeof a, "aws4_request", strlen("aws4_request"), out);
    if (seed.data) OPENSSL_cleanse(seed.data, seed.size);
    OPENSSL_cleanse(a, sizeof a);
    OPENSSL_cleanse(b, sizeof b);
    shf_text_free(&seed);
    return ok;
}

static void add_header_names(const struct shf_sigv4_input *input, struct shf_text *out) {
    for (size_t i = 0; i < input->header_count; i++) {
        if (i) shf_text_add(out, ";", 1);
        shf_text_add_string(out, input->headers[i].name);
    }
}

/* Task 1: the canonical request. */
static void add_canonical_request(const struct shf_sigv4_input *input, struct shf_text *out) {
    const char *const lines[] = {input->method, "\n", input->path, "\n", input->query, "\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) shf_text_add_string(out, lines[i]);
    for (size_t i = 0; i < input->header_count; i++) {
        shf_text_add_string(out, input->headers[i].name);
        shf_text_add(out, ":", 1);
        shf_text_add_string(out, input->headers[i].value);
        shf_text_add(out, "\n", 1);
    }
    shf_text_add(out, "\n", 1);
    add_header_names(input, out);
    shf_text_add(out, "\n", 1);
    shf_text_add_string(out, input->payload_hash);
}

/* Tasks 2 and 3: the string to sign, and its signature. */
bool shf_sigv4_authorize(const struct shf_sigv4_input *input, const uint8_t key[SHF_SIGV4_KEY_BYTES],
                         struct shf_text *out) {
    char hash[SHF_SIGV4_HEX_BYTES], signature[SHF_SIGV4_HEX_BYTES];
    uint8_t mac[SHF_SIGV4_KEY_BYTES];
    struct shf_text request = {0}, scope = {0}, to_sign = {0};
    add_canonical_request(input, &request);
    shf_text_format(&scope, "%.*s/%s/%s/aws4_request", (int)SHF_SIGV4_DATE_BYTES, input->time, input->region,
                    input->service);
    bool ok = !scope.failed && hash_hex(&request, hash);
    if (ok) shf_text_format(&to_sign, "AWS4-HMAC-SHA256\n%s\n%s\n%s", input->time, scope.data, hash);
    ok = ok && !to_sign.failed && keyed_hash(key, SHF_SIGV4_KEY_BYTES, to_sign.data, to_sign.size, mac);
    if (ok) {
        shf_hex_encode(mac, sizeof mac, signature);
        shf_text_format(out, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=", input->access_key_id, scope.data);
        add_header_names(input, out);
        shf_text_format(out, ", Signature=%s", signature);
    }
    shf_text_free(&request);
    shf_text_free(&scope);
    shf_text_free(&to_sign);
    return ok && !out->failed;
}
