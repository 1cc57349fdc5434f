/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of the bench that last microseconds: calls, connections, lists, events. Each is measured in turns with its bare minimum:
 * the same number of bytes to and fro between two processes over a UNIX socket. bench/run starts the daemon and calls us.
 *
 *     bench-client ROW URI [NUMBER]     prints {"ours": SECONDS, "bare": SECONDS} for one unit of work
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#define ROUNDS 9
#define MAX_BYTES (8 << 20)

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void
die(const char *what)
{
    virErrorPtr err = virGetLastError();

    fprintf(stderr, "bench-client: %s: %s\n", what,
            err && err->message ? err->message : strerror(errno));
    exit(1);
}

static void
write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done <= 0)
            exit(0);
        bytes += done;
        n -= done;
    }
}

static void
read_all(int fd, char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = read(fd, bytes, n);
        if (done <= 0)
            exit(0);
        bytes += done;
        n -= done;
    }
}

/* ---- the bare server: a process that answers @in bytes with @out bytes on @n sockets ---- */

typedef struct {
    int fds[64];
    int n;
    size_t in, out;
    pid_t pid;
} Bare;

static char buffer[MAX_BYTES];

static void
serve(const Bare *bare, const int *fds)
{
    int epoll = epoll_create1(0);
    static char in[65536];

    for (int i = 0; i < bare->n; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
    }
    while (true) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            read_all(events[i].data.fd, in, bare->in);
            write_all(events[i].data.fd, buffer, bare->out);
        }
    }
}

static void
bare_start(Bare *bare, int n, size_t in, size_t out)
{
    int theirs[64];

    bare->n = n;
    bare->in = in;
    bare->out = out;
    for (int i = 0; i < n; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
            die("socketpair");
        bare->fds[i] = pair[0];
        theirs[i] = pair[1];
    }
    bare->pid = fork();
    if (bare->pid == 0) {
        for (int i = 0; i < n; i++)
            close(bare->fds[i]);
        serve(bare, theirs);
    }
    for (int i = 0; i < n; i++)
        close(theirs[i]);
}

static void
bare_call(const Bare *bare, int i)
{
    static __thread char reply[65536];
    char request[256] = {0};

    write_all(bare->fds[i], request, bare->in);
    for (size_t left = bare->out; left > 0;) {
        size_t part = left < sizeof reply ? left : sizeof reply;
        read_all(bare->fds[i], reply, part);
        left -= part;
    }
}

static void
bare_stop(Bare *bare)
{
    for (int i = 0; i < bare->n; i++)
        close(bare->fds[i]);
    kill(bare->pid, SIGKILL);
    waitpid(bare->pid, NULL, 0);
}

/* ---- measuring in turns ---- */

typedef double (*Work)(void *opaque); /* seconds for one unit */

static int
compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static void
measure(Work ours, void *ours_data, Work bare, void *bare_data)
{
    double our_times[ROUNDS], bare_times[ROUNDS];

    ours(ours_data);
    bare(bare_data);
    for (int i = 0; i < ROUNDS; i++) {
        bare_times[i] = bare(bare_data);
        our_times[i] = ours(ours_data);
    }
    qsort(our_times, ROUNDS, sizeof(double), compare);
    qsort(bare_times, ROUNDS, sizeof(double), compare);
    printf("{\"ours\": %.9f, \"bare\": %.9f}\n", our_times[ROUNDS / 2], bare_times[ROUNDS / 2]);
}

/* ---- one call ---- */

#define CALLS 2000

static double
calls_ours(void *conn)
{
    double began = now();
    unsigned long version;

    for (int i = 0; i < CALLS; i++) {
        if (virConnectGetLibVersion(conn, &version) < 0)
            die("virConnectGetLibVersion");
    }
    return (now() - began) / CALLS;
}

static double
calls_bare(void *bare)
{
    double began = now();

    for (int i = 0; i < CALLS; i++)
        bare_call(bare, 0);
    return (now() - began) / CALLS;
}

/* ---- many at once ---- */

typedef struct {
    void *conn; /* virConnectPtr, or NULL: bare */
    Bare *bare;
    int index;
    int calls;
} Caller;

static void *
caller_run(void *opaque)
{
    Caller *caller = opaque;
    unsigned long version;

    for (int i = 0; i < caller->calls; i++) {
        if (!caller->conn)
            bare_call(caller->bare, caller->index);
        else if (virConnectGetLibVersion(caller->conn, &version) < 0)
            die("virConnectGetLibVersion");
    }
    return NULL;
}

typedef struct {
    Caller callers[64];
    int n;
} Crowd;

static double
crowd_run(void *opaque)
{
    Crowd *crowd = opaque;
    pthread_t threads[64];
    double began = now();

    for (int i = 0; i < crowd->n; i++)
        pthread_create(&threads[i], NULL, caller_run, &crowd->callers[i]);
    for (int i = 0; i < crowd->n; i++)
        pthread_join(threads[i], NULL);
    return (now() - began) / (crowd->n * crowd->callers[0].calls);
}

static void
row_crowd(const char *uri, int n, bool one_connection)
{
    Crowd ours = {.n = n}, bare_crowd = {.n = n};
    Bare bare;
    virConnectPtr shared = NULL;

    bare_start(&bare, n, 28, 36);
    for (int i = 0; i < n; i++) {
        virConnectPtr conn = one_connection && shared ? shared : virConnectOpen(uri);
        if (!conn)
            die("virConnectOpen");
        shared = conn;
        ours.callers[i] = (Caller){.conn = conn, .calls = 4000 / n};
        bare_crowd.callers[i] = (Caller){.bare = &bare, .index = i, .calls = 4000 / n};
    }
    measure(crowd_run, &ours, crowd_run, &bare_crowd);
    bare_stop(&bare);
}

/* ---- open and close ---- */

static double
open_ours(void *uri)
{
    double began = now();

    for (int i = 0; i < 50; i++) {
        virConnectPtr conn = virConnectOpen(uri);
        if (!conn)
            die("virConnectOpen");
        virConnectClose(conn);
    }
    return (now() - began) / 50;
}

static double
open_bare(void *bare)
{
    double began = now();

    /* The sockets exist already: connect and close of a UNIX socket are counted by a socketpair. */
    for (int i = 0; i < 50; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
            die("socketpair");
        for (int trip = 0; trip < 3; trip++)
            bare_call(bare, 0);
        close(pair[0]);
        close(pair[1]);
    }
    return (now() - began) / 50;
}

/* ---- lists and XML ---- */

static double
list_ours(void *conn)
{
    virDomainPtr *domains = NULL;
    double began = now();
    int n = virConnectListAllDomains(conn, &domains, 0);
    double took = now() - began;

    if (n < 0)
        die("virConnectListAllDomains");
    for (int i = 0; i < n; i++)
        virDomainFree(domains[i]);
    free(domains);
    return took;
}

static double
one_bare_call(void *bare)
{
    double began = now();

    bare_call(bare, 0);
    return now() - began;
}

typedef struct {
    virDomainPtr *domains;
    int n;
    size_t bytes;
} Guests;

static double
xml_ours(void *opaque)
{
    Guests *guests = opaque;
    double began = now();

    for (int i = 0; i < guests->n; i++) {
        char *xml = virDomainGetXMLDesc(guests->domains[i], VIR_DOMAIN_XML_INACTIVE);
        if (!xml)
            die("virDomainGetXMLDesc");
        guests->bytes = strlen(xml);
        free(xml);
    }
    return (now() - began) / guests->n;
}

static double
xml_bare(void *opaque)
{
    Bare *bare = opaque;
    double began = now();

    for (int i = 0; i < 1000; i++)
        bare_call(bare, 0);
    return (now() - began) / 1000;
}

/* ---- events: one publisher, many subscribers ---- */

static int heard;

typedef struct {
    virConnectPtr publisher;
    virDomainPtr domain;
    int subscribers;
    int changes;
} Fan;

/* Each change of the title sends one event to each subscriber; the time until all have come, per event. */
static double
fan_ours(void *opaque)
{
    Fan *fan = opaque;
    double began;
    int want = fan->subscribers * fan->changes;

    heard = 0;
    began = now();
    for (int i = 0; i < fan->changes; i++) {
        char title[32];
        snprintf(title, sizeof title, "title %d", i);
        if (virDomainSetMetadata(fan->domain, VIR_DOMAIN_METADATA_TITLE, title, NULL, NULL,
                                 VIR_DOMAIN_AFFECT_CONFIG) < 0)
            die("virDomainSetMetadata");
    }
    while (heard < want) {
        if (virEventRunDefaultImpl() < 0)
            die("virEventRunDefaultImpl");
    }
    return (now() - began) / want;
}

static void
on_metadata(virConnectPtr conn, virDomainPtr domain, int type, const char *uri, void *opaque)
{
    heard++;
}

static double
fan_bare(void *opaque)
{
    Bare *bare = opaque;
    static char bytes[256];
    double began = now();

    for (int i = 0; i < 20; i++) {
        for (int k = 0; k < bare->n; k++)
            write_all(bare->fds[k], bytes, bare->in);
        for (int k = 0; k < bare->n; k++)
            read_all(bare->fds[k], bytes, bare->out);
    }
    return (now() - began) / (20 * bare->n);
}

static void
row_fan(const char *uri, const char *name)
{
    Bare bare;
    Fan fan = {.subscribers = 50, .changes = 20};

    bare_start(&bare, 50, 100, 100);
    fan.publisher = virConnectOpen(uri);
    fan.domain = fan.publisher ? virDomainLookupByName(fan.publisher, name) : NULL;
    if (!fan.domain)
        die("virDomainLookupByName");
    for (int i = 0; i < fan.subscribers; i++) {
        virConnectPtr conn = virConnectOpen(uri);
        if (!conn || virConnectDomainEventRegisterAny(
                         conn, NULL, VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
                         VIR_DOMAIN_EVENT_CALLBACK(on_metadata), NULL, NULL) < 0)
            die("virConnectDomainEventRegisterAny");
    }
    measure(fan_ours, &fan, fan_bare, &bare);
    bare_stop(&bare);
}

int
main(int argc, char **argv)
{
    Bare bare;

    if (argc < 3) {
        fprintf(stderr,
                "usage: bench-client call|clients|threads|open|list|xml|fan URI [NUMBER|NAME]\n");
        return 2;
    }
    const char *row = argv[1], *uri = argv[2];
    signal(SIGPIPE, SIG_IGN);
    virEventRegisterDefaultImpl();
    if (strcmp(row, "clients") == 0 || strcmp(row, "threads") == 0) {
        row_crowd(uri, strcmp(row, "clients") == 0 ? 32 : 8, strcmp(row, "threads") == 0);
        return 0;
    }
    if (strcmp(row, "fan") == 0) {
        row_fan(uri, argc > 3 ? argv[3] : "guest-0000");
        return 0;
    }
    if (strcmp(row, "open") == 0) {
        bare_start(&bare, 1, 28, 36);
        measure(open_ours, (void *)uri, open_bare, &bare);
        bare_stop(&bare);
        return 0;
    }
    virConnectPtr conn = virConnectOpen(uri);
    if (!conn)
        die("virConnectOpen");
    if (strcmp(row, "call") == 0) {
        bare_start(&bare, 1, 28, 36);
        measure(calls_ours, conn, calls_bare, &bare);
    } else {
        Guests guests = {0};
        guests.n = virConnectListAllDomains(conn, &guests.domains, 0);
        if (guests.n <= 0)
            die("no guests are defined");
        /* Name, UUID and id of each: 36 bytes with names of this length. */
        if (strcmp(row, "list") == 0) {
            bare_start(&bare, 1, 36, 36 + 36 * (size_t)guests.n);
            measure(list_ours, conn, one_bare_call, &bare);
        } else {
            guests.n = guests.n > 1000 ? 1000 : guests.n;
            xml_ours(&guests);
            bare_start(&bare, 1, 68, 36 + guests.bytes);
            measure(xml_ours, &guests, xml_bare, &bare);
        }
    }
    bare_stop(&bare);
    virConnectClose(conn);
    return 0;
}
