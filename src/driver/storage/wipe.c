/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See wipe.h. An algorithm is a list of passes; a pass is one, two or three bytes repeated, or random bytes. The lists are
 * those of the published procedures that the API names. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "driver/storage/wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define CHUNK_BYTES (3u << 20) /* a multiple of the longest pattern */
#define RANDOM (-1)
#define END (-2)
#define PATTERN(a, b, c) (0x1000000 | (a) << 16 | (b) << 8 | (c))

static const int zero[] = {0x00, END};
static const int nnsa[] = {RANDOM, RANDOM, 0x00, END};
static const int dod[] = {RANDOM, 0x00, 0xff, END};
static const int bsi[] = {0xff, 0xfe, 0xfd, 0xfb, 0xf7, 0xef, 0xdf, 0xbf, 0x7f, END};
static const int gutmann[] = {
    RANDOM,
    RANDOM,
    RANDOM,
    RANDOM,
    0x55,
    0xaa,
    PATTERN(0x92, 0x49, 0x24),
    PATTERN(0x49, 0x24, 0x92),
    PATTERN(0x24, 0x92, 0x49),
    0x00,
    0x11,
    0x22,
    0x33,
    0x44,
    0x55,
    0x66,
    0x77,
    0x88,
    0x99,
    0xaa,
    0xbb,
    0xcc,
    0xdd,
    0xee,
    0xff,
    PATTERN(0x92, 0x49, 0x24),
    PATTERN(0x49, 0x24, 0x92),
    PATTERN(0x24, 0x92, 0x49),
    PATTERN(0x6d, 0xb6, 0xdb),
    PATTERN(0xb6, 0xdb, 0x6d),
    PATTERN(0xdb, 0x6d, 0xb6),
    RANDOM,
    RANDOM,
    RANDOM,
    RANDOM,
    END,
};
static const int schneier[] = {0x00, 0xff, RANDOM, RANDOM, RANDOM, RANDOM, RANDOM, END};
static const int random_once[] = {RANDOM, END};

static const struct {
    const int *passes;
    guint repeats;
} algorithms[] = {
    [VIR_STORAGE_VOL_WIPE_ALG_ZERO] = {zero, 1},
    [VIR_STORAGE_VOL_WIPE_ALG_NNSA] = {nnsa, 1},
    [VIR_STORAGE_VOL_WIPE_ALG_DOD] = {dod, 1},
    [VIR_STORAGE_VOL_WIPE_ALG_BSI] = {bsi, 1},
    [VIR_STORAGE_VOL_WIPE_ALG_GUTMANN] = {gutmann, 1},
    [VIR_STORAGE_VOL_WIPE_ALG_SCHNEIER] = {schneier, 1},
    [VIR_STORAGE_VOL_WIPE_ALG_PFITZNER7] = {random_once, 7},
    [VIR_STORAGE_VOL_WIPE_ALG_PFITZNER33] = {random_once, 33},
    [VIR_STORAGE_VOL_WIPE_ALG_RANDOM] = {random_once, 1},
};

bool
wipe_check(guint algorithm, GError **err)
{
    return algorithm < G_N_ELEMENTS(algorithms) || algorithm == VIR_STORAGE_VOL_WIPE_ALG_TRIM ||
           fail(err, VIR_ERR_INVALID_ARG, "wiping algorithm %u not supported", algorithm);
}

static void
fill_random(guchar *bytes, gsize len)
{
    while (len > 0) {
        ssize_t count = getrandom(bytes, len, 0);

        if (count <= 0)
            continue; /* interrupted: it has no other way to fail */
        bytes += count;
        len -= (gsize)count;
    }
}

static void
fill_pattern(guchar *bytes, gsize len, int pass)
{
    const guchar three[3] = {(guchar)(pass >> 16), (guchar)(pass >> 8), (guchar)pass};

    if (pass < 0x1000000) {
        memset(bytes, pass, len);
        return;
    }
    for (gsize i = 0; i < len; i++)
        bytes[i] = three[i % 3];
}

static bool
write_run(int fd, off_t at, off_t end, int pass, guchar *bytes, const char *path, GError **err)
{
    if (lseek(fd, at, SEEK_SET) < 0)
        return fail_errno(err, "wipe", path);
    while (at < end) {
        const gsize len = (gsize)MIN(end - at, (off_t)CHUNK_BYTES);

        if (pass == RANDOM)
            fill_random(bytes, len);
        if (!fd_write_all(fd, bytes, len))
            return fail_errno(err, "wipe", path);
        at += (off_t)len;
    }
    return true;
}

/* Holes hold nothing: they are left as they are, and a sparse file stays one. */
static bool
write_pass(int fd, off_t size, int pass, guchar *bytes, const char *path, GError **err)
{
    off_t at = 0;

    if (pass != RANDOM)
        fill_pattern(bytes, CHUNK_BYTES, pass);
    while (at < size) {
        const off_t data = lseek(fd, at, SEEK_DATA);
        off_t hole;

        if (data < 0 && errno == ENXIO)
            break;
        hole = data < 0 ? size : lseek(fd, data, SEEK_HOLE);
        if (hole < 0)
            hole = size;
        if (!write_run(fd, MAX(at, data), hole, pass, bytes, path, err))
            return false;
        at = hole;
    }
    return fdatasync(fd) == 0 || fail_errno(err, "sync", path);
}

bool
wipe_file(const char *path, guint algorithm, GError **err)
{
    auto_fd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    g_autofree guchar *bytes = NULL;
    off_t size;

    if (!wipe_check(algorithm, err))
        return false;
    size = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    if (size < 0)
        return fail_errno(err, "open for wiping", path);
    if (algorithm == VIR_STORAGE_VOL_WIPE_ALG_TRIM)
        return size == 0 ||
               fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size) == 0 ||
               fail_errno(err, "trim", path);
    bytes = g_malloc(CHUNK_BYTES);
    for (guint i = 0; i < algorithms[algorithm].repeats; i++) {
        for (const int *pass = algorithms[algorithm].passes; *pass != END; pass++) {
            if (!write_pass(fd, size, *pass, bytes, path, err))
                return false;
        }
    }
    return true;
}
