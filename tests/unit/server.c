/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims about the settings of src/server: conf.h and settings.h. */
#include "server/conf.h"

#include <string.h>

#include "server/settings.h"

static Conf *
parse(const char *text, GError **err)
{
    return conf_parse("d.conf", text, strlen(text), err);
}

static void
numbers_texts_and_lists_are_read(void)
{
    g_autoptr(Conf) conf = parse("# first\n"
                                 "a = 12 # behind\n"
                                 "b='one'\n"
                                 "  c = [ \"x\",\n"
                                 "        # between\n"
                                 "        'y', ]\n"
                                 "d = -3",
                                 NULL);
    g_autofree char *text = NULL;
    long long number = 0;

    g_assert_nonnull(conf);
    g_assert_true(conf_get_number(conf, "a", 0, 20, &number, NULL));
    g_assert_cmpint(number, ==, 12);
    g_assert_true(conf_get_number(conf, "d", -5, 20, &number, NULL));
    g_assert_cmpint(number, ==, -3);
    g_assert_true(conf_get_string(conf, "b", &text, NULL));
    g_assert_cmpstr(text, ==, "one");
    g_assert_cmpuint(g_strv_length(conf_find(conf, "c")->list), ==, 2);
    g_assert_cmpuint(conf_find(conf, "c")->line, ==, 4);
    g_assert_true(conf_get_number(conf, "absent", 0, 1, &number, NULL));
    g_assert_cmpint(number, ==, -3);
}

static void
last_of_two_entries_holds(void)
{
    g_autoptr(Conf) conf = parse("a = 1\na = 2\n", NULL);
    long long number = 0;

    g_assert_true(conf_get_number(conf, "a", 0, 9, &number, NULL));
    g_assert_cmpint(number, ==, 2);
}

static void
mistakes_name_their_line(void)
{
    static const struct {
        const char *text, *place;
    } cases[] = {
        {"a", "d.conf:1: "},
        {"\n= 1", "d.conf:2: "},
        {"a = 1 2", "d.conf:1: "},
        {"a = \"x", "d.conf:1: "},
        {"a = [\n1]", "d.conf:2: "},
        {"a = [ 'x' 'y' ]", "d.conf:1: "},
        {"a = [ 'x'\n", "d.conf:2: "},
        {"a = -", "d.conf:1: "},
        {"a = 1234567890123456789", "d.conf:1: "},
        {"a = yes", "d.conf:1: "},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(parse(cases[i].text, &error));
        g_assert_nonnull(error);
        g_assert_nonnull(strstr(error->message, cases[i].place));
    }
}

static bool
load(DaemonConfig *config, const char *text, GError **err)
{
    return daemon_config_parse(config, "libvirtd.conf", text, strlen(text), err);
}

static void
settings_lie_over_the_defaults(void)
{
    g_autoptr(DaemonConfig) config = daemon_config_new(true);

    g_assert_cmpuint(config->server.max_clients, ==, 5000);
    g_assert_true(load(config,
                       "max_clients = 7\n"
                       "admin_max_clients = 3\n"
                       "keepalive_interval = -1\n"
                       "unix_sock_rw_perms = \"0770\"\n"
                       "unix_sock_dir = \"/somewhere\"\n"
                       "listen_tls = 0\n",
                       NULL));
    g_assert_cmpuint(config->server.max_clients, ==, 7);
    g_assert_cmpuint(config->admin.max_clients, ==, 3);
    g_assert_cmpint(config->server.keepalive_interval_s, ==, -1);
    g_assert_cmpuint(config->rw_mode, ==, 0770);
    g_assert_cmpstr(config->socket_dir, ==, "/somewhere");
}

static void
what_cannot_be_honoured_is_refused(void)
{
    static const char *const texts[] = {
        "auth_unix_rw = \"polkit\"\n",
        "auth_unix_ro = \"sasl\"\n",
        "access_drivers = [ \"polkit\" ]\n",
        "listen_tcp = 1\n",
        "unix_sock_group = \"no-such-group-here\"\n",
        "unix_sock_ro_perms = \"999\"\n",
        "unix_sock_rw_perms = 770\n",
        "min_workers = 9\nmax_workers = 3\n",
        "host_uuid = \"x\"\n",
        "max_workers = 0\n",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(DaemonConfig) config = daemon_config_new(true);
        g_autoptr(GError) error = NULL;

        g_assert_false(load(config, texts[i], &error));
        g_assert_nonnull(error);
        g_assert_nonnull(strstr(error->message, "libvirtd.conf"));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/server/numbers_texts_and_lists_are_read", numbers_texts_and_lists_are_read);
    g_test_add_func("/server/last_of_two_entries_holds", last_of_two_entries_holds);
    g_test_add_func("/server/mistakes_name_their_line", mistakes_name_their_line);
    g_test_add_func("/server/settings_lie_over_the_defaults", settings_lie_over_the_defaults);
    g_test_add_func("/server/what_cannot_be_honoured_is_refused",
                    what_cannot_be_honoured_is_refused);
    return g_test_run();
}
