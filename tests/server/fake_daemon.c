/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A daemon with the fake driver: fake_daemon FOLDER [SETTINGS]. Sockets are FOLDER/libvirt-sock, -sock-ro and
 * libvirt-admin-sock; it prints "ready" when they answer. */
#define ERROR_DOMAIN VIR_FROM_TEST

#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "fake_driver.h"
#include "server/daemon.h"
#include "server/listen.h"

static Driver *const drivers[] = {&fake_service, &fake_driver, NULL};

static bool
add_socket(Server *server, const char *folder, const char *name, bool is_read_only, GError **err)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    int fd = listen_unix(path, 0700, (gid_t)-1, 100, err);

    return fd >= 0 && server_add_service(server, fd, is_read_only, err);
}

static bool
run(const char *folder, const char *settings, GError **err)
{
    DaemonConfig *config = daemon_config_new(false);
    g_autofree char *pid_path = g_build_filename(folder, "fake.pid", NULL);
    g_autoptr(Daemon) daemon = NULL;
    Server *users, *admin;

    if (settings && !daemon_config_load(config, settings, err))
        return false;
    daemon = daemon_new(config, drivers, err);
    log_set_from_environment();
    fake_set_volume_folder(folder);
    if (!daemon || !daemon_lock(daemon, pid_path, err) || !daemon_watch_signals(daemon, err) ||
        !daemon_start_drivers(daemon, err))
        return false;
    users = server_new(daemon, "libvirtd", false, &config->server);
    admin = server_new(daemon, "admin", true, &config->admin);
    if (!add_socket(users, folder, "libvirt-sock", false, err) ||
        !add_socket(users, folder, "libvirt-sock-ro", true, err) ||
        !add_socket(admin, folder, "libvirt-admin-sock", false, err))
        return false;
    puts("ready");
    fflush(stdout);
    return daemon_run(daemon, err);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: fake_daemon FOLDER [SETTINGS]\n");
        return 2;
    }
    if (!run(argv[1], argc > 2 ? argv[2] : NULL, &error)) {
        fprintf(stderr, "fake_daemon: %s\n", error->message);
        return 1;
    }
    printf("auto-destroyed %u\n", fake_n_auto_destroyed());
    return 0;
}
