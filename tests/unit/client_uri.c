/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a URI to a socket or a command. Configuration files are read by tests/client. */
#include <glib.h>
#include <string.h>
#include <unistd.h>

#include <libvirt/virterror.h>

#include "client/uri.h"
#include "config.h"

#define assert_resolves(uri, driver, socket)                                    \
    G_STMT_START                                                                \
    {                                                                           \
        g_auto(ClientTarget) target = {0};                                      \
        g_autoptr(GError) err = NULL;                                           \
        g_assert_true(client_target_resolve(uri, false, false, &target, &err)); \
        g_assert_cmpstr(target.driver_uri, ==, driver);                         \
        g_assert_cmpstr(target.socket_path, ==, socket);                        \
        g_assert_null(target.command);                                          \
    }                                                                           \
    G_STMT_END

static void
assert_refused(const char *uri, int code, const char *names)
{
    g_auto(ClientTarget) target = {0};
    g_autoptr(GError) err = NULL;

    g_assert_false(client_target_resolve(uri, false, false, &target, &err));
    g_assert_cmpint(err->code, ==, code);
    g_assert_nonnull(strstr(err->message, names));
}

static void
path_chooses_system_or_session(void)
{
    g_autofree char *session =
        g_build_filename(g_get_user_runtime_dir(), "libvirt", "libvirt-sock", NULL);

    assert_resolves("qemu:///system", "qemu:///system", RUNSTATEDIR "/libvirt/libvirt-sock");
    assert_resolves("qemu+unix:///system", "qemu:///system", RUNSTATEDIR "/libvirt/libvirt-sock");
    assert_resolves("qemu:///session", "qemu:///session", session);
}

static void
driver_daemons_have_sockets_of_their_own(void)
{
    assert_resolves("qemu:///system?mode=direct", "qemu:///system",
                    RUNSTATEDIR "/libvirt/virtqemud-sock");
    assert_resolves("xen:///system?mode=direct", "xen:///system",
                    RUNSTATEDIR "/libvirt/virtxend-sock");
    assert_resolves("qemu:///system?mode=legacy", "qemu:///system",
                    RUNSTATEDIR "/libvirt/libvirt-sock");
    assert_refused("nothing:///system?mode=direct", VIR_ERR_INVALID_ARG, "nothing");
    assert_refused("qemu:///system?mode=sideways", VIR_ERR_INVALID_ARG, "sideways");
}

static void
read_only_has_a_socket_of_its_own_on_a_system(void)
{
    g_auto(ClientTarget) target = {0};
    g_autoptr(GError) err = NULL;

    g_assert_true(client_target_resolve("qemu:///system", true, false, &target, &err));
    g_assert_cmpstr(target.socket_path, ==, RUNSTATEDIR "/libvirt/libvirt-sock-ro");
}

static void
parameters_of_the_way_stay_here_and_others_go_on(void)
{
    assert_resolves("qemu+unix:///system?socket=/tmp/s&mode=auto", "qemu:///system", "/tmp/s");
    assert_resolves("esx+unix:///?socket=/tmp/s&vcenter=a%20b", "esx:///?vcenter=a%20b", "/tmp/s");
    assert_resolves("qemu+unix:///system?socket=/tmp/a%20b&name=test:///default", "test:///default",
                    "/tmp/a b");
}

static void
what_cannot_be_reached_is_refused_by_name(void)
{
    assert_refused("qemu+tls://far/system", VIR_ERR_NO_SUPPORT, "tls");
    assert_refused("qemu://far/system", VIR_ERR_NO_SUPPORT, "tls");
    assert_refused("qemu+libssh://far/system", VIR_ERR_NO_SUPPORT, "libssh");
    assert_refused("qemu+pigeon://far/system", VIR_ERR_INVALID_ARG, "pigeon");
    assert_refused("qemu+unix://far/system", VIR_ERR_INVALID_ARG, "far");
    assert_refused("/system", VIR_ERR_NO_CONNECT, "/system");
    assert_refused("qemu+ext:///system", VIR_ERR_INVALID_ARG, "command");
    assert_refused("qemu+ssh:///system", VIR_ERR_INVALID_ARG, "host");
    assert_refused("qemu:///system?no_tty=maybe", VIR_ERR_INVALID_ARG, "no_tty=maybe");
}

static void
tcp_has_a_host_and_a_port(void)
{
    g_auto(ClientTarget) named = {0};
    g_auto(ClientTarget) plain = {0};
    g_autoptr(GError) err = NULL;

    g_assert_true(client_target_resolve("qemu+tcp://[::1]:7/system", false, false, &named, &err));
    g_assert_cmpstr(named.host, ==, "::1");
    g_assert_cmpstr(named.port, ==, "7");
    g_assert_null(named.socket_path);
    g_assert_true(client_target_resolve("qemu+tcp:///system", false, false, &plain, &err));
    g_assert_cmpstr(plain.host, ==, "localhost");
    g_assert_cmpstr(plain.port, ==, "16509");
}

/* What virConnectGetURI says is what was asked for, not what the daemon is told. */
static void
uri_is_kept_as_it_was_given(void)
{
    g_auto(ClientTarget) target = {0};
    g_autoptr(GError) err = NULL;
    const char *uri = "qemu+unix:///system?socket=/tmp/s";

    g_assert_true(client_target_resolve(uri, false, false, &target, &err));
    g_assert_cmpstr(target.uri, ==, uri);
}

static void
scheme_remote_leaves_the_driver_to_the_daemon(void)
{
    assert_resolves("remote+unix:///?socket=/tmp/s", NULL, "/tmp/s");
}

static void
assert_command(const char *uri, const char *words)
{
    g_auto(ClientTarget) target = {0};
    g_autoptr(GError) err = NULL;
    g_autofree char *joined = NULL;

    g_assert_true(client_target_resolve(uri, false, false, &target, &err));
    g_assert_null(target.socket_path);
    joined = g_strjoinv("|", target.command);
    g_assert_cmpstr(joined, ==, words);
}

static void
programs_carry_the_bytes_without_a_shell_here(void)
{
    assert_command("qemu+ext:///system?command=/bin/carry%20it", "/bin/carry it");
    assert_command(
        "qemu+ssh://me@far:2222/system?proxy=native&keyfile=/k&no_tty=1&no_verify=1",
        "ssh|-p|2222|-l|me|-i|/k|-o|BatchMode=yes|-o|StrictHostKeyChecking=no|-T|-e|none|"
        "--|far|virt-ssh-helper 'qemu:///system'");
    assert_command("qemu+ssh://far/system?socket=/it's&command=/my/ssh",
                   "/my/ssh|-T|-e|none|--|far|'nc' -U '/it'\\''s'");
    assert_refused("qemu+ssh://far/system?proxy=moon", VIR_ERR_INVALID_ARG, "moon");
}

static void
admin_sockets_are_named_after_their_daemon(void)
{
    static const char *const cases[][2] = {
        {"libvirtd:///system", RUNSTATEDIR "/libvirt/libvirt-admin-sock"},
        {"virtqemud:///system", RUNSTATEDIR "/libvirt/virtqemud-admin-sock"},
        {"libvirtd:///system?socket=/tmp/a", "/tmp/a"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(ClientTarget) target = {0};
        g_autoptr(GError) err = NULL;
        g_assert_true(client_target_resolve_admin(cases[i][0], &target, &err));
        g_assert_cmpstr(target.socket_path, ==, cases[i][1]);
    }
    static const char *const refused[] = {"libvirtd:///elsewhere", "nothingd:///system"};
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_auto(ClientTarget) target = {0};
        g_autoptr(GError) err = NULL;
        g_assert_false(client_target_resolve_admin(refused[i], &target, &err));
        g_assert_cmpint(err->code, ==, VIR_ERR_CONFIG_UNSUPPORTED);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/uri/" #name, name)
    ADD(path_chooses_system_or_session);
    ADD(driver_daemons_have_sockets_of_their_own);
    ADD(read_only_has_a_socket_of_its_own_on_a_system);
    ADD(parameters_of_the_way_stay_here_and_others_go_on);
    ADD(what_cannot_be_reached_is_refused_by_name);
    ADD(tcp_has_a_host_and_a_port);
    ADD(uri_is_kept_as_it_was_given);
    ADD(scheme_remote_leaves_the_driver_to_the_daemon);
    ADD(programs_carry_the_bytes_without_a_shell_here);
    ADD(admin_sockets_are_named_after_their_daemon);
    return g_test_run();
}
