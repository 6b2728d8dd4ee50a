/* A program of somebody else: opens the sample and looks one key up. */
#include <shardyfusion/shardyfusion.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    if (argc != 2 || strcmp(shf_version(), SHF_VERSION_STRING) != 0) return 2;
    shf_runtime *runtime = NULL;
    shf_reader *reader = NULL;
    shf_op *opened = NULL, *got = NULL;
    shf_value value;
    int result = 1;

    if (shf_runtime_new(NULL, &runtime)) return 1;
    shf_reader_options options;
    SHF_INIT(&options);
    options.url = argv[1];
    if (shf_open_sync(runtime, &options, 0, &opened)) goto done;
    if (shf_op_take_reader(opened, &reader)) goto done;
    const shf_key key = shf_key_from_text("ncdu", 4);
    if (shf_get_sync(reader, &key, NULL, 0, &got)) goto done;
    SHF_INIT(&value);
    if (shf_op_value(got, 0, &value) || value.status != SHF_OK) goto done;
    printf("%.*s\n", (int)value.data.size, (const char *)value.data.data);
    result = 0;

done:
    if (result) fprintf(stderr, "%s\n", shf_error_message(shf_op_error(got ? got : opened)));
    shf_op_release(got);
    shf_op_release(opened);
    shf_reader_release(reader);
    (void)shf_runtime_free(runtime);
    return result;
}
