/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as all that an emulator ever says on its monitor, while three commands wait for replies 1, 2 and 3. */
#include "base/log.h"
#include "loop/loop.h"
#include "seam/qmp.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS_MAX 200

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const guint8 *bytes, gsize len);

static Loop *loop;

typedef struct {
    bool is_closed;
} Guest;

static void
on_event(Qmp *qmp, const char *event, const Json *data, gint64 wall_us, gpointer opaque)
{
    g_assert_nonnull(event);
    g_free(data ? json_dumps(data, JSON_COMPACT) : NULL);
}

static void
on_closed(Qmp *qmp, const char *reason, gpointer opaque)
{
    Guest *guest = opaque;

    g_assert_false(guest->is_closed);
    g_assert_nonnull(reason);
    guest->is_closed = true;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    log_set_level(LOG_LEVEL_ERROR, NULL);
    loop = loop_new(NULL);
    g_assert_nonnull(loop);
    return 0;
}

static void
run_round(void)
{
    loop_quit(loop);
    loop_run(loop, NULL);
}

/* What the caller would do with the replies. */
static void
read_replies(Qmp *qmp, QmpBatch *batch)
{
    for (guint n = 0; n < 3; n++) {
        g_autoptr(GError) err = NULL;
        const Json *value = qmp_batch_reply(batch, n, &err);

        g_assert_true((value != NULL) == (err == NULL));
        if (err)
            qmp_error_class(err);
    }
    qmp_batch_all_ok(batch, NULL);
    qmp_silent_ms(qmp);
}

int
LLVMFuzzerTestOneInput(const guint8 *bytes, gsize len)
{
    Guest guest = {false};
    const QmpConfig config = {.name = "fuzz",
                              .loop = loop,
                              .on_event = on_event,
                              .on_closed = on_closed,
                              .opaque = &guest};
    g_autoptr(Qmp) qmp = NULL;
    g_autoptr(QmpBatch) batch = qmp_batch_new();
    gsize sent = 0;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return 0;
    qmp = qmp_new(ends[0], &config, NULL);
    g_assert_nonnull(qmp);
    for (guint n = 0; n < 3; n++)
        qmp_batch_add(batch, "query-status", NULL);
    g_assert_true(qmp_batch_start(batch, qmp, NULL));
    for (int round = 0; round < ROUNDS_MAX && !guest.is_closed; round++) {
        const ssize_t count =
            sent < len ? send(ends[1], bytes + sent, len - sent, MSG_NOSIGNAL) : 0;

        sent += count > 0 ? (gsize)count : 0;
        if (sent == len)
            shutdown(ends[1], SHUT_WR);
        run_round();
    }
    qmp_close(qmp);
    run_round();
    read_replies(qmp, batch);
    close(ends[1]);
    return 0;
}
