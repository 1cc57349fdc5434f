/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as a settings file: libvirtd.conf when the first byte is even, qemu.conf when it is odd. A file that is refused
 * says why. Seeds: tests/fuzz/seeds/conf. */
#include "base/log.h"
#include "driver/qemu/settings.h"
#include "file.h"
#include "server/settings.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const guint8 *bytes, gsize len);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    log_set_level(LOG_LEVEL_ERROR, NULL);
    return 0;
}

int
LLVMFuzzerTestOneInput(const guint8 *bytes, gsize len)
{
    g_autoptr(GError) err = NULL;

    if (len < 1)
        return 0;
    if (bytes[0] & 1) {
        g_autoptr(QemuConfig) config = qemu_config_load(fuzz_file(bytes + 1, len - 1), true, &err);

        g_assert_true((config != NULL) == (err == NULL));
    } else {
        g_autoptr(DaemonConfig) config = daemon_config_new(true);
        const bool is_good = daemon_config_load(config, fuzz_file(bytes + 1, len - 1), &err);

        g_assert_true(is_good == (err == NULL));
    }
    return 0;
}
