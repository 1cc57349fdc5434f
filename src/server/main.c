/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirtd: options, settings, sockets, and the list of drivers that are built in. Everything else is in daemon.h. */
#define ERROR_DOMAIN VIR_FROM_CONF

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "config.h"
#include "server/daemon.h"
#include "server/listen.h"

/* Drivers are named here and nowhere else in the server; each is a folder of src/driver. They start in this order: services
 * first, so that guests which start with the daemon find their volumes and networks. */
#ifdef WITH_SECRET
extern Driver secret_driver;
#endif
#ifdef WITH_STORAGE
extern Driver storage_driver;
#endif
#ifdef WITH_NWFILTER
extern Driver nwfilter_driver;
#endif
#ifdef WITH_INTERFACE
extern Driver interface_driver;
#endif
#ifdef WITH_NETWORK
extern Driver network_driver;
#endif
#ifdef WITH_NODEDEV
extern Driver nodedev_driver;
#endif
#ifdef WITH_QEMU
extern Driver qemu_driver;
#endif
static Driver *const drivers[] = {
#ifdef WITH_SECRET
    &secret_driver,
#endif
#ifdef WITH_STORAGE
    &storage_driver,
#endif
#ifdef WITH_NWFILTER
    &nwfilter_driver,
#endif
#ifdef WITH_INTERFACE
    &interface_driver,
#endif
#ifdef WITH_NETWORK
    &network_driver,
#endif
#ifdef WITH_NODEDEV
    &nodedev_driver,
#endif
#ifdef WITH_QEMU
    &qemu_driver,
#endif
    NULL,
};

typedef struct {
    bool is_verbose, in_background, only_checks;
    unsigned int timeout_s;
    const char *config_path, *pid_path;
} Options;

static const char usage[] =
    "Usage: libvirtd [OPTION...]\n"
    "\n"
    "Serves the libvirt API on UNIX sockets: the system's when root starts it, else the user's "
    "own.\n"
    "\n"
    "  -d, --daemon           go to the background when ready\n"
    "  -f, --config FILE      settings (default: " SYSCONFDIR "/libvirt/libvirtd.conf, for\n"
    "                         users $XDG_CONFIG_HOME/libvirt/libvirtd.conf)\n"
    "  -p, --pid-file FILE    where the process id goes\n"
    "  -t, --timeout SECONDS  end after so long without a client or a running guest\n"
    "  -v, --verbose          log what changes, too\n"
    "      --check            read the settings, say what is wrong with them, and end\n"
    "  -V, --version          show the version\n"
    "  -h, --help             show this text\n"
    "\n"
    "SIGHUP reads the settings of logging and drivers again. SIGTERM ends the daemon; guests go "
    "on.\n";

static bool
parse_options(int argc, char **argv, Options *options, int *status)
{
    static const struct option known[] = {
        {"daemon", no_argument, NULL, 'd'},         {"config", required_argument, NULL, 'f'},
        {"pid-file", required_argument, NULL, 'p'}, {"timeout", required_argument, NULL, 't'},
        {"verbose", no_argument, NULL, 'v'},        {"check", no_argument, NULL, 'c'},
        {"version", no_argument, NULL, 'V'},        {"help", no_argument, NULL, 'h'},
        {"listen", no_argument, NULL, 'l'},         {NULL, 0, NULL, 0},
    };
    int option;

    *status = EXIT_FAILURE;
    while ((option = getopt_long(argc, argv, "df:lp:t:vVh", known, NULL)) != -1) {
        switch (option) {
        case 'd':
            options->in_background = true;
            break;
        case 'f':
            options->config_path = optarg;
            break;
        case 'p':
            options->pid_path = optarg;
            break;
        case 't':
            if (!text_to_uint(optarg, 10, &options->timeout_s) || options->timeout_s == 0) {
                fprintf(stderr, "libvirtd: --timeout %s: expected a number of seconds above 0\n",
                        optarg);
                return false;
            }
            break;
        case 'v':
            options->is_verbose = true;
            break;
        case 'c':
            options->only_checks = true;
            break;
        case 'l':
            fprintf(stderr, "libvirtd: --listen: this daemon serves UNIX sockets only; "
                            "reach it from other hosts with a qemu+ssh:// URI\n");
            return false;
        case 'V':
            printf("libvirtd (libvirt) %s\n",
                   API_VERSION); /* tools read the number behind the bracket */
            *status = EXIT_SUCCESS;
            return false;
        case 'h':
            fputs(usage, stdout);
            *status = EXIT_SUCCESS;
            return false;
        default:
            fprintf(stderr, "Try 'libvirtd --help'.\n");
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "libvirtd: unexpected argument '%s'. Try 'libvirtd --help'.\n",
                argv[optind]);
        return false;
    }
    return true;
}

static DaemonConfig *
load_config(const Options *options, char **path, GError **err)
{
    g_autoptr(DaemonConfig) config = daemon_config_new(geteuid() == 0);

    *path = options->config_path ? g_strdup(options->config_path)
                                 : g_build_filename(config->config_dir, "libvirtd.conf", NULL);
    if ((options->config_path || file_exists(*path)) && !daemon_config_load(config, *path, err))
        return NULL;
    if (options->is_verbose && config->log_level > 2)
        config->log_level = 2;
    if (options->in_background && !config->log_outputs)
        config->log_outputs =
            g_strdup_printf("%d:file:%s/libvirtd.log", config->log_level, config->log_dir);
    return g_steal_pointer(&config);
}

/* The parent waits here until the child is ready or has failed: one byte, or the end of the pipe. */
static int
wait_for_child(int ready_fd)
{
    char byte;

    return fd_read_all(ready_fd, &byte, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Returns in the child with the descriptor that says it is ready; the parent ends with the child's status. */
static bool
go_to_background(int *ready_fd, GError **err)
{
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return fail_errno(err, "make a pipe for", "the background process");
    pid = fork();
    if (pid < 0)
        return fail_errno(err, "start", "the background process");
    if (pid > 0) {
        close(ends[1]);
        exit(wait_for_child(ends[0]));
    }
    close(ends[0]);
    setsid();
    *ready_fd = ends[1];
    return chdir("/") == 0 || fail_errno(err, "go to", "/");
}

static bool
say_ready(int *ready_fd, GError **err)
{
    auto_fd int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    const char byte = 0;

    if (*ready_fd < 0)
        return true;
    if (null_fd < 0)
        return fail_errno(err, "open", "/dev/null");
    for (int fd = 0; fd <= 2; fd++)
        dup2(null_fd, fd);
    fd_write_all(*ready_fd, &byte, 1);
    fd_close(ready_fd);
    return true;
}

static bool
add_socket(Server *server, const char *name, mode_t mode, bool is_read_only, GError **err)
{
    const DaemonConfig *config = server->daemon->config;
    g_autofree char *path = g_build_filename(config->socket_dir, name, NULL);
    const gid_t group =
        config->has_socket_group && !server->is_admin ? config->socket_group : (gid_t)-1;
    int fd = listen_unix(path, mode, group, server->limits.max_queued_clients, err);

    return fd >= 0 && server_add_service(server, fd, is_read_only, err);
}

static bool
add_own_sockets(Server *users, Server *admin, GError **err)
{
    const DaemonConfig *config = users->daemon->config;

    return dir_make(config->socket_dir, config->is_system ? 0755 : 0700, err) &&
           add_socket(users, "libvirt-sock", config->rw_mode, false, err) &&
           (!config->is_system ||
            add_socket(users, "libvirt-sock-ro", config->ro_mode, true, err)) &&
           add_socket(admin, "libvirt-admin-sock", config->admin_mode, false, err);
}

static bool
add_sockets(Daemon *daemon, GError **err)
{
    Server *users = server_new(daemon, "libvirtd", false, &daemon->config->server);
    Server *admin = server_new(daemon, "admin", true, &daemon->config->admin);
    int fds[LISTEN_KINDS];
    bool has_any;

    if (!listen_inherited(fds, &has_any, err))
        return false;
    if (!has_any)
        return add_own_sockets(users, admin, err);
    for (int kind = 0; kind < LISTEN_KINDS; kind++) {
        if (fds[kind] >= 0 && !server_add_service(kind == LISTEN_ADMIN ? admin : users, fds[kind],
                                                  kind == LISTEN_RO, err))
            return false;
    }
    return true;
}

static Daemon *
start_daemon(const Options *options, DaemonConfig *take_config, const char *config_path,
             GError **err)
{
    const DaemonConfig *config = take_config;
    g_autofree char *pid_path = options->pid_path ? g_strdup(options->pid_path)
                                : config->is_system
                                    ? g_strdup(RUNSTATEDIR "/libvirtd.pid")
                                    : g_build_filename(config->state_dir, "libvirtd.pid", NULL);
    g_autoptr(Daemon) daemon = daemon_new(take_config, drivers, err);

    if (!daemon)
        return NULL;
    daemon->config_path = g_strdup(config_path);
    if (!dir_make(config->log_dir, config->is_system ? 0755 : 0700, err) ||
        !daemon_config_apply_log(config, err))
        return NULL;
    log_set_from_environment();
    if (!daemon_lock(daemon, pid_path, err) || !daemon_watch_signals(daemon, err) ||
        !add_sockets(daemon, err) || !daemon_start_drivers(daemon, err))
        return NULL;
    daemon_set_idle_timeout(daemon, options->timeout_s);
    return g_steal_pointer(&daemon);
}

static int
run_daemon(const Options *options, GError **err)
{
    g_autofree char *config_path = NULL;
    g_autoptr(DaemonConfig) config = load_config(options, &config_path, err);
    g_autoptr(Daemon) daemon = NULL;
    auto_fd int ready_fd = -1;

    if (!config)
        return EXIT_FAILURE;
    if (options->only_checks) {
        printf("%s: %s\n", config_path,
               file_exists(config_path) ? "good" : "absent, defaults hold");
        return EXIT_SUCCESS;
    }
    umask(022);
    if (options->in_background && !go_to_background(&ready_fd, err))
        return EXIT_FAILURE;
    daemon = start_daemon(options, g_steal_pointer(&config), config_path, err);
    if (!daemon || !say_ready(&ready_fd, err))
        return EXIT_FAILURE;
    return daemon_run(daemon, err) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    Options options = {0};
    g_autoptr(GError) error = NULL;
    int status;

    if (!parse_options(argc, argv, &options, &status))
        return status;
    status = run_daemon(&options, &error);
    if (error)
        fprintf(stderr, "libvirtd: %s\n", error->message);
    return status;
}
