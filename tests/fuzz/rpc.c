/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Throws whole conversations at the dispatcher, through a socket pair, with the fake driver behind it.
 *
 * The first byte says how: 1 admin server, 2 read-only, 4 open the connection first, 8 the rest is raw bytes; else it is a
 * list of calls { type, 16-bit procedure, 16-bit length, payload }, which get proper headers, so that mutation meets the
 * arguments and not only the frame. */
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "fake_driver.h"
#include "server/daemon.h"
#include "wire/frame.h"

#define ROUNDS_MAX 2000
#define HOW_ADMIN 1
#define HOW_READ_ONLY 2
#define HOW_OPEN 4
#define HOW_RAW 8

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static Driver *const drivers[] = {&fake_service, &fake_driver, NULL};
static Daemon *the_daemon;
static Server *users, *admin;

/* Ends the pool's threads before leaks are looked for: what GLib keeps for a thread is freed with it. */
static void
stop_daemon(void)
{
    daemon_free(the_daemon);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    DaemonConfig *config = daemon_config_new(false);

    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LEVEL_ERROR, NULL);
    the_daemon = daemon_new(config, drivers, NULL);
    g_assert_true(daemon_start_drivers(the_daemon, NULL));
    fake_open_gate();
    users = server_new(the_daemon, "libvirtd", false, &config->server);
    admin = server_new(the_daemon, "admin", true, &config->admin);
    atexit(stop_daemon);
    return 0;
}

static void
append_packet(GByteArray *out, guint32 program, guint32 procedure, guint32 type, guint32 serial,
              const uint8_t *payload, gsize len)
{
    wire_put_u32(out, (guint32)(WIRE_HEADER_BYTES + len));
    wire_put_u32(out, program);
    wire_put_u32(out, 1);
    wire_put_u32(out, procedure);
    wire_put_u32(out, type & 7);
    wire_put_u32(out, serial);
    wire_put_u32(out, type >> 3 & 3);
    g_byte_array_append(out, payload, (guint)len);
}

/* Streams go on under the serial of the call that opened them; the high bits of the type choose how far back that is. */
static void
append_calls(GByteArray *out, bool is_admin, const uint8_t *bytes, size_t len)
{
    static const guint32 programs[] = {REMOTE_PROGRAM, QEMU_PROGRAM, LXC_PROGRAM,
                                       WIRE_KEEPALIVE_PROGRAM};
    guint32 serial = 1, program = 0;

    while (len >= 6) {
        const uint8_t type = bytes[0], which = bytes[1];
        const guint32 procedure = (guint32)bytes[2] << 8 | bytes[3];
        size_t size = (size_t)bytes[4] << 8 | bytes[5];

        bytes += 6;
        len -= 6;
        size = MIN(size, len);
        program = is_admin ? ADMIN_PROGRAM : programs[which & 3];
        /* It opens files by any name that it is given. */
        if (!is_admin || procedure != ADMIN_PROC_CONNECT_SET_LOGGING_OUTPUTS)
            append_packet(out, program, procedure, type,
                          (type & 7) == WIRE_STREAM ? serial - (which >> 4) : ++serial, bytes,
                          size);
        bytes += size;
        len -= size;
    }
}

static GByteArray *
make_conversation(uint8_t how, const uint8_t *bytes, size_t len)
{
    static const uint8_t open_args[] = "\0\0\0\1\0\0\0\016qemu:///system\0\0\0\0\0\0";
    GByteArray *out = g_byte_array_new();
    const bool is_admin = how & HOW_ADMIN;

    if ((how & HOW_OPEN) && is_admin)
        append_packet(out, ADMIN_PROGRAM, ADMIN_PROC_CONNECT_OPEN, WIRE_CALL, 0, open_args + 20, 4);
    else if (how & HOW_OPEN)
        append_packet(out, REMOTE_PROGRAM, REMOTE_PROC_CONNECT_OPEN, WIRE_CALL, 0, open_args,
                      sizeof open_args - 1);
    if ((how & HOW_RAW) && !is_admin)
        g_byte_array_append(out, bytes, (guint)len);
    else
        append_calls(out, is_admin, bytes, len);
    return out;
}

/* Read away what the server says, so that it never waits for us. */
static void
drain(int fd)
{
    char bytes[16384];
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
    } control;
    struct iovec part = {bytes, sizeof bytes};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    while (recvmsg(fd, &message, MSG_DONTWAIT) > 0) {
        message.msg_control = &control;
        message.msg_controllen = 0;
    }
}

static void
run_round(void)
{
    loop_quit(the_daemon->host.loop);
    loop_run(the_daemon->host.loop, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    g_autoptr(GByteArray) conversation = NULL;
    Server *server;
    int ends[2];
    size_t sent = 0;

    if (len < 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return 0;
    server = bytes[0] & HOW_ADMIN ? admin : users;
    conversation = make_conversation(bytes[0], bytes + 1, len - 1);
    server->limits.max_clients = server->limits.max_anonymous_clients = 100;
    g_assert_nonnull(server_add_client(server, ends[0], bytes[0] & HOW_READ_ONLY, NULL));
    for (int round = 0; round < ROUNDS_MAX && g_hash_table_size(server->clients) > 0; round++) {
        if (sent < conversation->len) {
            const ssize_t count =
                send(ends[1], conversation->data + sent, conversation->len - sent, MSG_NOSIGNAL);

            sent += count > 0 ? (size_t)count : 0;
        } else {
            shutdown(ends[1], SHUT_WR);
        }
        run_round();
        drain(ends[1]);
    }
    close(ends[1]);
    while (g_hash_table_size(server->clients) > 0)
        run_round();
    pool_wait(the_daemon->host.pool);
    run_round();
    return 0;
}
