#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *peer_root(void) {
    static char root[1024];
    const char *shared = getenv("SHF_SHARED");
    (void)snprintf(root, sizeof root, "%s/fixtures/peer", shared && *shared ? shared : "../shared");
    if (access(root, R_OK) == 0) return root;
    print_message("SKIP: no peer fixtures at %s (set SHF_SHARED)\n", root);
    return NULL;
}

size_t peer_each(const char *prefix, void (*each)(const char *name, void *context), void *context) {
    const char *root = peer_root();
    struct dirent **entries = NULL;
    int count = root ? scandir(root, &entries, NULL, alphasort) : 0;
    size_t taken = 0;
    for (int i = 0; i < count; i++) {
        if (strncmp(entries[i]->d_name, prefix, strlen(prefix)) == 0) {
            each(entries[i]->d_name, context);
            taken++;
        }
        free(entries[i]);
    }
    free(entries);
    return taken;
}

uint8_t *peer_read(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long length = ftell(file);
    assert_true(length >= 0);
    rewind(file);
    uint8_t *data = malloc((size_t)length + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)length, file), (size_t)length);
    (void)fclose(file);
    data[length] = 0;
    *size = (size_t)length;
    return data;
}

json_t *peer_json(const char *name, const char *file) {
    char path[2048];
    (void)snprintf(path, sizeof path, "%s/%s/%s", peer_root(), name, file);
    json_error_t error;
    json_t *json = json_load_file(path, 0, &error);
    if (!json) fail_msg("%s: %s", path, error.text);
    return json;
}

static int base64_value(char c) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

uint8_t *peer_base64(const char *text, size_t *size) {
    uint8_t *out = malloc(strlen(text) + 1);
    assert_non_null(out);
    uint32_t bits = 0;
    int count = 0;
    *size = 0;
    for (; *text && *text != '='; text++) {
        int value = base64_value(*text);
        assert_true(value >= 0);
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[(*size)++] = (uint8_t)(bits >> count);
        }
    }
    return out;
}
