#include "io/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DIGEST_BYTES 32u

const char shf_sigv4_empty_payload[SHF_SIGV4_HEX_BYTES] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

void shf_sigv4_encode(struct shf_text *out, const char *text, bool keep_slashes) {
    static const char digits[] = "0123456789ABCDEF";
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                     c == '_' || c == '~' || (c == '/' && keep_slashes);
        const char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};
        if (plain) {
            shf_text_add(out, text, 1);
        } else {
            shf_text_add(out, escaped, 3);
        }
    }
}

void shf_sigv4_date_time(int64_t wall_us, char out[17]) {
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) || strftime(out, 17, "%Y%m%dT%H%M%SZ", &parts) != 16) {
        memcpy(out, "19700101T000000Z", 17); /* a clock beyond the year 9999: the server will refuse it */
    }
}

static bool sha256_hex(const char *text, size_t size, char out[SHF_SIGV4_HEX_BYTES]) {
    uint8_t digest[DIGEST_BYTES];
    unsigned length = sizeof digest;
    if (EVP_Digest(text, size, digest, &length, EVP_sha256(), NULL) != 1) return false;
    shf_hex_encode(digest, sizeof digest, out);
    return true;
}

static bool hmac(const void *key, size_t key_size, const char *text, uint8_t out[DIGEST_BYTES]) {
    unsigned length = DIGEST_BYTES;
    return HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)text, strlen(text), out, &length) != NULL;
}

static bool signing_key(const struct shf_sigv4_input *in, const char *date, uint8_t out[DIGEST_BYTES]) {
    struct shf_text seed = {0};
    uint8_t a[DIGEST_BYTES], b[DIGEST_BYTES];
    shf_text_format(&seed, "AWS4%s", in->secret_access_key);
    bool ok = !seed.failed && hmac(seed.data, seed.size, date, a) && hmac(a, sizeof a, in->region, b) &&
              hmac(b, sizeof b, in->service, a) && hmac(a, sizeof a, "aws4_request", out);
    if (seed.data) OPENSSL_cleanse(seed.data, seed.size);
    OPENSSL_cleanse(a, sizeof a);
    OPENSSL_cleanse(b, sizeof b);
    shf_text_free(&seed);
    return ok;
}

static void add_signed_names(const struct shf_sigv4_input *in, struct shf_text *out) {
    for (size_t i = 0; i < in->header_count; i++) {
        if (i) shf_text_add_string(out, ";");
        shf_text_add_string(out, in->headers[i].name);
    }
}

static bool canonical_hash(const struct shf_sigv4_input *in, char out[SHF_SIGV4_HEX_BYTES]) {
    struct shf_text request = {0};
    shf_text_format(&request, "%s\n%s\n%s\n", in->method, in->path, in->query);
    for (size_t i = 0; i < in->header_count; i++) {
        shf_text_format(&request, "%s:%s\n", in->headers[i].name, in->headers[i].value);
    }
    shf_text_add_string(&request, "\n");
    add_signed_names(in, &request);
    shf_text_format(&request, "\n%s", in->payload_hash);
    bool ok = !request.failed && sha256_hex(request.data, request.size, out);
    shf_text_free(&request);
    return ok;
}

bool shf_sigv4_authorization(const struct shf_sigv4_input *in, struct shf_text *out) {
    char hash[SHF_SIGV4_HEX_BYTES], date[9], signature[SHF_SIGV4_HEX_BYTES];
    uint8_t key[DIGEST_BYTES], mac[DIGEST_BYTES];
    struct shf_text scope = {0}, to_sign = {0};
    memcpy(date, in->date_time, 8);
    date[8] = '\0';
    shf_text_format(&scope, "%s/%s/%s/aws4_request", date, in->region, in->service);
    bool ok = !scope.failed && canonical_hash(in, hash) && signing_key(in, date, key);
    if (ok) shf_text_format(&to_sign, "AWS4-HMAC-SHA256\n%s\n%s\n%s", in->date_time, scope.data, hash);
    ok = ok && !to_sign.failed && hmac(key, sizeof key, to_sign.data, mac);
    OPENSSL_cleanse(key, sizeof key);
    if (ok) {
        shf_hex_encode(mac, sizeof mac, signature);
        shf_text_format(out, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=", in->access_key_id, scope.data);
        add_signed_names(in, out);
        shf_text_format(out, ", Signature=%s", signature);
    }
    shf_text_free(&scope);
    shf_text_free(&to_sign);
    return ok && !out->failed;
}
