/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Documents of tests/model/domain: what filling in makes of NAME.xml is NAME.out, or the refusal in NAME.err. Whatever is
 * accepted is copied, filled in again and read again without change. `MANIFOLD_UPDATE=1` writes the expectations anew. */
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "pretend_host.h"

#define MAX_BYTES (1024 * 1024)

static const ModelFormatFlags form = MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE;

static char *
path_of(const char *name, const char *ending)
{
    g_autofree char *file = g_strconcat(name, ending, NULL);

    return g_test_build_filename(G_TEST_DIST, "domain", file, NULL);
}

static void
expect(const char *name, const char *ending, const char *text)
{
    g_autofree char *path = path_of(name, ending);
    g_autofree char *wanted = NULL;
    g_autoptr(GError) err = NULL;

    if (g_getenv("MANIFOLD_UPDATE")) {
        g_assert_true(g_file_set_contents(path, text, -1, NULL));
        return;
    }
    wanted = file_read(path, MAX_BYTES, NULL, &err);
    g_assert_no_error(err);
    g_assert_cmpstr(text, ==, wanted);
}

static char *
refusal(const GError *err)
{
    return g_strdup_printf("%d %d %s\n", error_code(err), error_domain_of(err), err->message);
}

static void
stays_what_it_is(Domain *dom, const char *text)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(Domain) copy = domain_copy(dom);
    g_autoptr(Domain) again = domain_parse_filled(text, MODEL_PARSE_INACTIVE, &pretend_host, &err);
    g_autofree char *refilled = NULL;
    g_autofree char *reread = NULL;

    g_assert_no_error(err);
    g_assert_true(domain_equal(dom, copy));
    domain_fill(copy, (void *)&pretend_host, &err);
    g_assert_no_error(err);
    refilled = domain_format(copy, form);
    g_assert_cmpstr(refilled, ==, text);
    reread = domain_format(again, form);
    g_assert_cmpstr(reread, ==, text);
    g_assert_true(domain_check_abi_stable(dom, again, &err));
    g_assert_no_error(err);
}

static void
becomes_what_is_expected(gconstpointer data)
{
    const char *name = data;
    g_autofree char *path = path_of(name, ".xml");
    g_autoptr(GError) err = NULL;
    g_autofree char *xml = file_read(path, MAX_BYTES, NULL, &err);
    g_autoptr(Domain) dom = NULL;
    g_autofree char *text = NULL;

    g_assert_no_error(err);
    dom = domain_parse_filled(xml, MODEL_PARSE_INACTIVE, &pretend_host, &err);
    if (g_str_has_prefix(name, "refused-")) {
        g_assert_null(dom);
        text = refusal(err);
        expect(name, ".err", text);
        return;
    }
    g_assert_no_error(err);
    text = domain_format(dom, form);
    expect(name, ".out", text);
    stays_what_it_is(dom, text);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *folder = NULL;
    g_auto(GStrv) files = NULL;

    g_test_init(&argc, &argv, NULL);
    folder = g_test_build_filename(G_TEST_DIST, "domain", NULL);
    files = dir_list(folder, &err);
    g_assert_no_error(err);
    for (char **file = files; *file; file++) {
        g_autofree char *name = NULL;
        g_autofree char *title = NULL;

        if (!g_str_has_suffix(*file, ".xml"))
            continue;
        name = g_strndup(*file, strlen(*file) - strlen(".xml"));
        title = g_strconcat("/domain/", name, NULL);
        g_test_add_data_func_full(title, g_steal_pointer(&name), becomes_what_is_expected, g_free);
    }
    return g_test_run();
}
