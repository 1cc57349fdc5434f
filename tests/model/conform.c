/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fills in domains the way a daemon with QEMU 7.2 would (with --plain: by the rules of every hypervisor only): reads documents
 * from the files named, separated in the output by a NUL byte each; prints `accept` and the inactive document, or
 * `reject CODE DOMAIN` and the error's text.
 * dev/ tools and tests/model/test_domain.py compare the output with what is expected. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "driver/qemu/accept.h"
#include "pretend_host.h"

int
main(int argc, char **argv)
{

    bool plain = argc > 1 && strcmp(argv[1], "--plain") == 0;

    for (int i = plain ? 2 : 1; i < argc; i++) {
        g_autoptr(GError) err = NULL;
        g_autofree char *xml = file_read(argv[i], 16 * 1024 * 1024, NULL, &err);
        g_autoptr(Domain) dom =
            xml ? domain_parse_filled(xml, MODEL_PARSE_INACTIVE, plain ? NULL : &pretend_host, &err)
                : NULL;

        if (dom && (plain || qemu_accept_domain(dom, &err))) {
            g_autofree char *out = domain_format(dom, MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE);

            printf("accept\n%s", out);
        } else {
            printf("reject %d %d\n%s\n", error_code(err), error_domain_of(err), err->message);
        }
        putchar('\0');
    }
    return 0;
}
