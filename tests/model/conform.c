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

static DomainFillHost host;

static bool
change(Domain *dom, const char *action, const char *path, GError **err)
{
    g_autofree char *xml = file_read(path, 16 * 1024 * 1024, NULL, err);

    if (!xml)
        return false;
    if (strcmp(action, "attach") == 0)
        return domain_attach_device(dom, xml, &host, err);
    if (strcmp(action, "detach") == 0)
        return domain_detach_device(dom, xml, &host, err);
    return domain_update_device(dom, xml, &host, err);
}

static void
report(Domain *dom, const GError *err)
{
    g_autofree char *out =
        err ? NULL : domain_format(dom, MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE);

    if (out)
        printf("accept\n%s", out);
    else
        printf("reject %d %d\n%s\n", error_code(err), error_domain_of(err), err->message);
    putchar('\0');
}

/* --steps BASE ACTION DEVICE...: attach, detach, update, one after the other. */
static int
run_steps(int n, char **words)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *xml = file_read(words[0], 16 * 1024 * 1024, NULL, &err);
    g_autoptr(Domain) dom =
        xml ? domain_parse_filled(xml, MODEL_PARSE_INACTIVE, &host, &err) : NULL;

    for (int i = 1; dom && i + 1 < n; i += 2)
        if (!change(dom, words[i], words[i + 1], &err))
            break;
    report(dom, err);
    return 0;
}

int
main(int argc, char **argv)
{
    host = pretend_host;
    host.accept_device = qemu_accept_device;

    if (argc > 2 && strcmp(argv[1], "--steps") == 0)
        return run_steps(argc - 2, argv + 2);
    bool plain = argc > 1 && strcmp(argv[1], "--plain") == 0;

    for (int i = plain ? 2 : 1; i < argc; i++) {
        g_autoptr(GError) err = NULL;
        g_autofree char *xml = file_read(argv[i], 16 * 1024 * 1024, NULL, &err);
        g_autoptr(Domain) dom =
            xml ? domain_parse_filled(xml, MODEL_PARSE_INACTIVE, plain ? NULL : &host, &err) : NULL;

        if (dom && !plain)
            qemu_accept_domain(dom, &err);
        report(dom, err);
    }
    return 0;
}
