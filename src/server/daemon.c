/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See daemon.h. Start, signals, the idle timer, and the orderly end. Servers and their sockets are in server.c. */
#define ERROR_DOMAIN VIR_FROM_RPC

#include "server/daemon.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "object/store.h"
#include "server/client.h"
#include "server/listen.h"
#include "server/subscribe.h"

/* An orderly end that takes longer than this is not waited for; guests and files do not depend on it. */
#define END_SECONDS_MAX 15
#define DRAIN_ROUNDS 3

static gint pending_signals; /* atomic: bits by number */
static int signal_write_fd = -1;

static void
on_signal(int number)
{
    const int saved_errno = errno;
    const guint64 one = 1;

    g_atomic_int_or((guint *)&pending_signals, 1u << number);
    (void)!write(signal_write_fd, &one, sizeof one);
    errno = saved_errno;
}

/* Nothing to do, but unlike SIG_IGN this is not inherited by the programs that we start. */
static void
ignore_signal(int number)
{
}

static void
on_end_takes_too_long(int number)
{
    _exit(0);
}

static void
set_handler(int number, void (*handler)(int number))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

    sigfillset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static void
take_signals(int fd, uint32_t events, void *opaque)
{
    Daemon *daemon = opaque;
    guint64 count;
    guint signals;

    (void)!read(fd, &count, sizeof count);
    signals = (guint)g_atomic_int_and((guint *)&pending_signals, 0);
    if (signals & (1u << SIGHUP))
        daemon_reload(daemon);
    if (signals & ((1u << SIGTERM) | (1u << SIGINT) | (1u << SIGQUIT)))
        loop_quit(daemon->host.loop);
}

bool
daemon_watch_signals(Daemon *daemon, GError **err)
{
    static const int ending[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
    static const int ignored[] = {SIGPIPE, SIGUSR1, SIGUSR2};

    daemon->signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (daemon->signal_fd < 0)
        return fail_errno(err, "make a descriptor for", "signals");
    signal_write_fd = daemon->signal_fd;
    daemon->signal_watch = loop_watch_fd(daemon->host.loop, daemon->signal_fd, EPOLLIN,
                                         take_signals, daemon, NULL, err);
    if (!daemon->signal_watch)
        return false;
    for (gsize i = 0; i < G_N_ELEMENTS(ending); i++)
        set_handler(ending[i], on_signal);
    for (gsize i = 0; i < G_N_ELEMENTS(ignored); i++)
        set_handler(ignored[i], ignore_signal);
    return true;
}

/* The idle timer ---------------------------------------------------------------------------------------------------- */

static void
on_idle(void *opaque)
{
    Daemon *daemon = opaque;

    log_info(LOG_SERVER, "nobody was here for %u s: ending", daemon->idle_timeout_s);
    loop_quit(daemon->host.loop);
}

static bool
daemon_is_idle(Daemon *daemon)
{
    for (guint i = 0; i < daemon->servers->len; i++) {
        const Server *server = daemon->servers->pdata[i];

        if (g_hash_table_size(server->clients) > 0)
            return false;
    }
    return g_atomic_int_get(&daemon->host.holds) == 0;
}

void
daemon_check_idle(Daemon *daemon)
{
    if (daemon->idle_timeout_s && daemon_is_idle(daemon))
        loop_timer_rearm(daemon->idle_timer, daemon->idle_timeout_s * 1000);
    else
        loop_timer_rest(daemon->idle_timer);
}

void
daemon_set_idle_timeout(Daemon *daemon, guint timeout_s)
{
    daemon->idle_timeout_s = MIN(timeout_s, G_MAXINT / 1000);
    daemon_check_idle(daemon);
}

static void
check_idle_opaque(void *opaque)
{
    daemon_check_idle(opaque);
}

/* A driver, on any thread. */
static void
on_holds_changed(DriverHost *host)
{
    Daemon *daemon = (Daemon *)((char *)host - G_STRUCT_OFFSET(Daemon, host));

    loop_post(host->loop, check_idle_opaque, daemon);
}

/* Start and end ----------------------------------------------------------------------------------------------------- */

Daemon *
daemon_new(DaemonConfig *take_config, Driver *const *drivers, GError **err)
{
    g_autoptr(Daemon) daemon = g_new0(Daemon, 1);
    DaemonConfig *config = take_config;

    daemon->config = config;
    daemon->drivers = drivers;
    daemon->signal_fd = daemon->pid_fd = -1;
    daemon->servers = g_ptr_array_new();
    daemon->host.loop = loop_new(err);
    if (!daemon->host.loop)
        return NULL;
    daemon->host.pool = pool_new(config->min_workers, config->max_workers);
    daemon->host.is_system = config->is_system;
    daemon->host.config_dir = g_strdup(config->config_dir);
    daemon->host.state_dir = g_strdup(config->state_dir);
    daemon->host.lib_dir = g_strdup(config->lib_dir);
    daemon->host.cache_dir = g_strdup(config->cache_dir);
    daemon->host.log_dir = g_strdup(config->log_dir);
    daemon_config_find_host_uuid(config);
    daemon->host.host_uuid = g_strdup(config->host_uuid);
    daemon->host.holds_changed = on_holds_changed;
    daemon->idle_timer = loop_timer_new(daemon->host.loop, on_idle, daemon, NULL);
    return g_steal_pointer(&daemon);
}

bool
daemon_lock(Daemon *daemon, const char *pid_path, GError **err)
{
    g_autofree char *dir = g_path_get_dirname(pid_path);

    if (!dir_make(dir, daemon->host.is_system ? 0755 : 0700, err))
        return false;
    daemon->pid_fd = store_lock_pid_file(pid_path, err);
    if (daemon->pid_fd < 0)
        return false;
    daemon->pid_path = g_strdup(pid_path);
    return true;
}

/* Every hypervisor knows the services; a service has none but itself. */
static void
share_services(Daemon *daemon)
{
    guint n_services = 0;

    for (guint i = 0; daemon->drivers[i]; i++)
        n_services += daemon->drivers[i]->schemes == NULL;
    daemon->service_drivers = g_new0(Driver *, n_services + 1);
    n_services = 0;
    for (guint i = 0; daemon->drivers[i]; i++) {
        if (!daemon->drivers[i]->schemes)
            daemon->service_drivers[n_services++] = daemon->drivers[i];
        else
            daemon->drivers[i]->services = daemon->service_drivers;
    }
}

bool
daemon_start_drivers(Daemon *daemon, GError **err)
{
    share_services(daemon);
    for (guint i = 0; daemon->drivers[i]; i++) {
        Driver *driver = daemon->drivers[i];

        driver->events = event_hub_new(subscribe_free_message);
        driver->host = &daemon->host;
        daemon->n_started = i + 1;
        if (!driver->start(driver, &daemon->host, err)) {
            g_prefix_error(err, "%s driver: ", driver->name);
            return false;
        }
    }
    return true;
}

static void
reload_driver(void *opaque)
{
    Driver *driver = opaque;

    driver->reload(driver);
}

void
daemon_reload(Daemon *daemon)
{
    g_autoptr(DaemonConfig) fresh = daemon_config_new(daemon->config->is_system);
    g_autoptr(GError) error = NULL;

    log_info(LOG_SERVER, "reading the configuration again");
    if (daemon->config_path && file_exists(daemon->config_path) &&
        (!daemon_config_load(fresh, daemon->config_path, &error) ||
         !daemon_config_apply_log(fresh, &error)))
        log_error(LOG_SERVER, "%s: the settings stay as they were", error->message);
    for (guint i = 0; i < daemon->n_started; i++) {
        if (daemon->drivers[i]->reload)
            pool_run(daemon->host.pool, reload_driver, daemon->drivers[i]);
    }
}

bool
daemon_run(Daemon *daemon, GError **err)
{
    bool is_good;

    daemon_check_idle(daemon);
    listen_notify("READY=1");
    is_good = loop_run(daemon->host.loop, err);
    listen_notify("STOPPING=1");
    return is_good;
}

static void
close_clients(Server *server)
{
    g_autoptr(GList) clients = g_hash_table_get_values(server->clients);

    for (GList *link = clients; link; link = link->next)
        client_close(link->data);
}

static void *
quit_when_workers_rest(void *opaque)
{
    Daemon *daemon = opaque;

    pool_wait(daemon->host.pool);
    loop_quit(daemon->host.loop);
    return NULL;
}

/* Let calls under way end, and their connections after them. Workers may wait for what only the loop can bring, so it goes
 * on meanwhile; each round of it may give them new work. */
static void
daemon_drain(Daemon *daemon)
{
    for (int round = 0; round < DRAIN_ROUNDS; round++) {
        GThread *waiter = g_thread_new("drain", quit_when_workers_rest, daemon);

        loop_run(daemon->host.loop, NULL);
        g_thread_join(waiter);
    }
}

static void
driver_end(Driver *driver)
{
    if (driver->stop)
        driver->stop(driver);
    g_clear_pointer(&driver->events, event_hub_free);
    driver->services = NULL;
}

void
daemon_free(Daemon *daemon)
{
    if (!daemon)
        return;
    set_handler(SIGALRM, on_end_takes_too_long);
    alarm(END_SECONDS_MAX);
    for (guint i = 0; i < daemon->servers->len; i++)
        server_stop(daemon->servers->pdata[i]);
    for (guint i = 0; i < daemon->servers->len; i++)
        close_clients(daemon->servers->pdata[i]);
    daemon_drain(daemon);
    while (daemon->n_started > 0)
        driver_end(daemon->drivers[--daemon->n_started]);
    daemon_drain(daemon);
    g_clear_pointer(&daemon->host.pool, pool_free);
    loop_watch_remove(daemon->signal_watch);
    loop_timer_stop(daemon->idle_timer);
    g_clear_pointer(&daemon->host.loop, loop_free);
    while (daemon->servers->len > 0)
        server_free(g_ptr_array_remove_index_fast(daemon->servers, daemon->servers->len - 1));
    g_ptr_array_unref(daemon->servers);
    signal_write_fd = -1;
    fd_close(&daemon->signal_fd);
    if (daemon->pid_path)
        unlink(daemon->pid_path);
    fd_close(&daemon->pid_fd);
    g_free(daemon->pid_path);
    g_free(daemon->config_path);
    g_free(daemon->host.config_dir);
    g_free(daemon->host.state_dir);
    g_free(daemon->host.lib_dir);
    g_free(daemon->host.cache_dir);
    g_free(daemon->host.log_dir);
    g_free(daemon->host.host_uuid);
    daemon_config_free(daemon->config);
    g_free(daemon->service_drivers);
    g_free(daemon);
    alarm(0);
}

/* Look-ups ---------------------------------------------------------------------------------------------------------- */

static Driver *
find_default_driver(Daemon *daemon, char **found_uri)
{
    for (guint i = 0; i < daemon->n_started; i++) {
        Driver *driver = daemon->drivers[i];
        char *uri = driver->default_uri ? driver->default_uri(driver) : NULL;

        if (uri) {
            *found_uri = uri;
            return driver;
        }
    }
    return NULL;
}

static bool
driver_has_scheme(const Driver *driver, const char *scheme)
{
    for (const char *const *known = driver->schemes; known && *known; known++) {
        if (g_ascii_strcasecmp(*known, scheme) == 0)
            return true;
    }
    return false;
}

Driver *
daemon_find_driver(Daemon *daemon, const char *uri, char **found_uri, GError **err)
{
    g_autofree char *scheme = NULL;
    const char *colon = uri ? strchr(uri, ':') : NULL;

    if (!uri || !*uri) {
        Driver *driver = find_default_driver(daemon, found_uri);

        if (!driver)
            fail(err, VIR_ERR_NO_CONNECT, "the default: this daemon has no driver that offers one");
        return driver;
    }
    scheme = colon ? g_strndup(uri, strcspn(uri, ":+")) : g_strdup("");
    for (guint i = 0; i < daemon->n_started; i++) {
        Driver *driver = daemon->drivers[i];
        g_autoptr(GError) error = NULL;

        if (!driver_has_scheme(driver, scheme))
            continue;
        if (!driver->probe_uri || driver->probe_uri(driver, uri, &error)) {
            *found_uri = g_strdup(uri);
            return driver;
        }
        if (error) {
            g_propagate_error(err, g_steal_pointer(&error));
            return NULL;
        }
    }
    fail(err, VIR_ERR_NO_CONNECT, "%s", uri);
    return NULL;
}

Server *
daemon_find_server(Daemon *daemon, const char *name, GError **err)
{
    for (guint i = 0; i < daemon->servers->len; i++) {
        Server *server = daemon->servers->pdata[i];

        if (g_str_equal(server->name, name))
            return server;
    }
    return fail_null(err, VIR_ERR_NO_SERVER, "no server named '%s': there are libvirtd and admin",
                     name);
}
