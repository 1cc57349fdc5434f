/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For fuzzers of parsers that read a file: one file for each process, written anew for each input. */
#pragma once

#include <glib.h>
#include <glib/gstdio.h>
#include <unistd.h>

static char *fuzz_file_folder, *fuzz_file_path;

static inline void
fuzz_file_remove(void)
{
    unlink(fuzz_file_path);
    rmdir(fuzz_file_folder);
    g_free(fuzz_file_path);
    g_free(fuzz_file_folder);
}

/* The path of a file that holds just these bytes; borrowed. */
static inline const char *
fuzz_file(const guint8 *bytes, gsize len)
{
    if (!fuzz_file_folder) {
        fuzz_file_folder = g_dir_make_tmp("fuzz-XXXXXX", NULL);
        g_assert_nonnull(fuzz_file_folder);
        fuzz_file_path = g_build_filename(fuzz_file_folder, "input", NULL);
        atexit(fuzz_file_remove);
    }
    g_assert_true(g_file_set_contents_full(fuzz_file_path, (const char *)bytes, (gssize)len,
                                           G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    return fuzz_file_path;
}
