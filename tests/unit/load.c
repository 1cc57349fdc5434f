/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims about load_peek of src/driver/qemu/load.h: sure of what is plain, silent about all else. */
#include "driver/qemu/load.h"

#include <string.h>

#define UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"

static bool
peek(const char *text, gssize len)
{
    g_autofree char *name = NULL;
    guchar uuid[16];
    gsize n = len < 0 ? strlen(text) : (gsize)len;
    /* A buffer that ends where the text does, so that a sanitizer sees what goes beyond. */
    g_autofree char *exact = g_memdup2(text, n);
    bool is_known = load_peek(exact, n, &name, uuid);

    if (is_known) {
        g_assert_cmpstr(name, ==, "web1");
        g_assert_cmpint(uuid[0], ==, 0x66);
        g_assert_cmpint(uuid[15], ==, 0x3f);
    }
    return is_known;
}

static void
knows_what_daemons_write(void)
{
    g_assert_true(
        peek("<!--\nWARNING: <name>x</name>\n  virsh edit web1\n-->\n\n<domain type='kvm'>\n  "
             "<name>web1</name>\n  <uuid>" UUID "</uuid>\n  <memory>1</memory>",
             -1));
    g_assert_true(peek("<domain><name>web1</name><uuid>" UUID "</uuid>", -1));
}

static void
leaves_the_rest_to_the_parser(void)
{
    static const char *const texts[] = {
        "",
        "<!--",
        "<domain",
        "<domain type='a>b'><name>web1</name><uuid>" UUID "</uuid>",
        "<domain/><name>web1</name><uuid>" UUID "</uuid>",
        "<domains><name>web1</name><uuid>" UUID "</uuid>",
        "<?xml version='1.0'?><domain><name>web1</name><uuid>" UUID "</uuid>",
        "<!DOCTYPE domain><domain><name>web1</name><uuid>" UUID "</uuid>",
        "<domain><uuid>" UUID "</uuid><name>web1</name>",
        "<domain><title>t</title><name>web1</name><uuid>" UUID "</uuid>",
        "<domain><name>w&amp;b</name><uuid>" UUID "</uuid>",
        "<domain><name> web1</name><uuid>" UUID "</uuid>",
        "<domain><name><![CDATA[web1]]></name><uuid>" UUID "</uuid>",
        "<domain><name></name><uuid>" UUID "</uuid>",
        "<domain><name>w\xc3\xa9"
        "b</name><uuid>" UUID "</uuid>",
        "<domain><name>web1</name><uuid>none</uuid>",
        "<domain><name>web1</name>",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        g_assert_false(peek(texts[i], -1));
}

static void
reads_no_byte_too_many(void)
{
    const char *text = "<!-- c --> <domain type='kvm'> <name>web1</name> <uuid>" UUID "</uuid>";

    for (gsize len = 0; len < strlen(text); len++)
        g_assert_false(peek(text, (gssize)len));
    g_assert_true(peek(text, -1));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/load/knows_what_daemons_write", knows_what_daemons_write);
    g_test_add_func("/load/leaves_the_rest_to_the_parser", leaves_the_rest_to_the_parser);
    g_test_add_func("/load/reads_no_byte_too_many", reads_no_byte_too_many);
    return g_test_run();
}
