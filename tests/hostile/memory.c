/* Resident memory of this process. */
#include "hostile/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t status_bytes(const char *field) {
    char line[256];
    uint64_t kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, field, strlen(field)) == 0) kib = strtoull(line + strlen(field), NULL, 10);
    }
    if (file) (void)fclose(file);
    return kib << 10;
}

uint64_t hostile_forget_peak(void) {
    FILE *file = fopen("/proc/self/clear_refs", "w"); /* 5: the kernel forgets the peak, where it lets us */
    if (file) {
        (void)fputs("5", file);
        (void)fclose(file);
    }
    return status_bytes("VmRSS:");
}

uint64_t hostile_peak_since(uint64_t before) {
    uint64_t after = status_bytes("VmHWM:");
    return after > before ? after - before : 0;
}
