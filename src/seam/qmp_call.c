/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls and batches over a monitor. See qmp.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "loop/loop.h"
#include "loop/pool.h"
#include "seam/clock.h"
#include "seam/qmp_private.h"

static void
command_clear(QmpCommand *command)
{
    g_free(command->name);
    g_clear_pointer(&command->text, g_bytes_unref);
    fd_close(&command->fd);
    json_decref(command->answer);
}

QmpBatch *
qmp_batch_new(void)
{
    QmpBatch *batch = g_new0(QmpBatch, 1);

    g_atomic_ref_count_init(&batch->refs);
    batch->commands = g_array_new(FALSE, TRUE, sizeof(QmpCommand));
    g_array_set_clear_func(batch->commands, (GDestroyNotify)command_clear);
    batch->next_fd = -1;
    return batch;
}

void
qmp_batch_unref(QmpBatch *batch)
{
    if (!batch || !g_atomic_ref_count_dec(&batch->refs))
        return;
    g_array_unref(batch->commands);
    fd_close(&batch->next_fd);
    g_clear_pointer(&batch->qmp, qmp_unref);
    g_free(batch);
}

void
qmp_slot_free(gpointer slot)
{
    qmp_batch_unref(((QmpSlot *)slot)->batch);
    g_free(slot);
}

/* Add a whole message, without an id: that is counted by the connection and put in when it is sent. */
static guint
add_message(QmpBatch *batch, const char *name, const Json *message)
{
    QmpCommand entry = {.name = g_strdup(name), .fd = fd_steal(&batch->next_fd)};
    char *text = json_dumps(message, JSON_COMPACT);

    entry.text = g_bytes_new_with_free_func(text, strlen(text), free, text);
    g_array_append_val(batch->commands, entry);
    return batch->commands->len - 1;
}

guint
qmp_batch_add(QmpBatch *batch, const char *command, Json *take_args)
{
    g_autoptr(Json) message = json_object();

    json_object_set_new(message, "execute", json_string(command));
    if (take_args)
        json_object_set_new(message, "arguments", take_args);
    return add_message(batch, command, message);
}

void
qmp_batch_attach_fd(QmpBatch *batch, int fd)
{
    fd_close(&batch->next_fd);
    batch->next_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* {"execute":"x"} becomes {"execute":"x","id":7} and a newline. */
static void
append_numbered(GByteArray *out, const QmpCommand *command)
{
    g_autofree char *tail = g_strdup_printf(",\"id\":%" G_GUINT64_FORMAT "}\r\n", command->id);
    gsize len;
    const guint8 *text = g_bytes_get_data(command->text, &len);

    g_byte_array_append(out, text, (guint)len - 1);
    g_byte_array_append(out, (const guint8 *)tail, (guint)strlen(tail));
}

static void
send_commands_locked(QmpBatch *batch, Qmp *qmp)
{
    g_autoptr(GByteArray) out = g_byte_array_new();

    for (guint i = 0; i < batch->commands->len; i++) {
        QmpCommand *command = &g_array_index(batch->commands, QmpCommand, i);
        QmpSlot *slot = g_new0(QmpSlot, 1);

        command->id = ++qmp->last_id;
        g_atomic_ref_count_inc(&batch->refs);
        slot->batch = batch;
        slot->index = i;
        g_hash_table_insert(qmp->waiting, GSIZE_TO_POINTER((gsize)command->id), slot);
        if (command->fd >= 0 &&
            out->len) { /* a descriptor travels with the first byte of its command */
            qmp_send_locked(qmp, g_byte_array_free_to_bytes(g_steal_pointer(&out)), -1);
            out = g_byte_array_new();
        }
        append_numbered(out, command);
        if (command->fd >= 0) {
            qmp_send_locked(qmp, g_byte_array_free_to_bytes(g_steal_pointer(&out)),
                            fd_steal(&command->fd));
            out = g_byte_array_new();
        }
    }
    if (out->len)
        qmp_send_locked(qmp, g_byte_array_free_to_bytes(g_steal_pointer(&out)), -1);
}

static bool
is_open_locked(Qmp *qmp, GError **err)
{
    if (!qmp->closed)
        return true;
    if (err)
        *err = g_error_copy(qmp->closed);
    return false;
}

bool
qmp_batch_start(QmpBatch *batch, Qmp *qmp, GError **err)
{
    bool is_open;

    g_assert(!batch->qmp);
    g_mutex_lock(&qmp->mutex);
    is_open = is_open_locked(qmp, err);
    if (is_open) {
        batch->qmp = qmp_ref(qmp);
        batch->n_missing = batch->commands->len;
        if (!qmp->oldest_ms)
            qmp->oldest_ms = clock_monotonic_ms();
        if (log_wants(LOG_LEVEL_DEBUG, LOG_SEAM))
            for (guint i = 0; i < batch->commands->len; i++)
                log_debug(LOG_SEAM, "%s: to monitor %s", qmp->name,
                          g_array_index(batch->commands, QmpCommand, i).name);
        send_commands_locked(batch, qmp);
    }
    g_mutex_unlock(&qmp->mutex);
    return is_open;
}

/* Nobody will look at these replies any more. */
static void
abandon_locked(QmpBatch *batch)
{
    for (guint i = 0; i < batch->commands->len; i++)
        g_hash_table_remove(
            batch->qmp->waiting,
            GSIZE_TO_POINTER((gsize)g_array_index(batch->commands, QmpCommand, i).id));
}

static const char *
first_unanswered(const QmpBatch *batch)
{
    for (guint i = 0; i < batch->commands->len; i++)
        if (!g_array_index(batch->commands, QmpCommand, i).answer)
            return g_array_index(batch->commands, QmpCommand, i).name;
    return "?";
}

/* Wait under the mutex until @is_done or closed or late. */
static bool
wait_locked(Qmp *qmp, bool (*is_done)(Qmp *, gpointer), gpointer opaque, gint64 deadline_ms)
{
    bool in_time = true;
    bool blocks = !is_done(qmp, opaque) && !qmp->closed;

    g_assert(!loop_on_thread(qmp->config.loop));
    if (blocks)
        pool_block_begin(qmp->config.pool);
    while (in_time && !is_done(qmp, opaque) && !qmp->closed)
        in_time = g_cond_wait_until(&qmp->changed, &qmp->mutex, deadline_ms * 1000);
    if (blocks)
        pool_block_end(qmp->config.pool);
    return is_done(qmp, opaque);
}

static bool
batch_is_answered(Qmp *qmp, gpointer batch)
{
    return ((QmpBatch *)batch)->n_missing == 0;
}

bool
qmp_batch_wait(QmpBatch *batch, gint64 deadline_ms, GError **err)
{
    Qmp *qmp = batch->qmp;
    bool ok;

    g_mutex_lock(&qmp->mutex);
    ok = wait_locked(qmp, batch_is_answered, batch, deadline_ms);
    if (!ok && is_open_locked(qmp, err))
        fail(err, VIR_ERR_OPERATION_TIMEOUT, "domain '%s': the emulator does not answer '%s'",
             qmp->name, first_unanswered(batch));
    if (!ok)
        abandon_locked(batch);
    g_mutex_unlock(&qmp->mutex);
    return ok;
}

bool
qmp_batch_run(QmpBatch *batch, Qmp *qmp, int timeout_ms, GError **err)
{
    return qmp_batch_start(batch, qmp, err) &&
           qmp_batch_wait(batch, clock_monotonic_ms() + timeout_ms, err);
}

const char *
qmp_error_class(const GError *error)
{
    return error ? error_detail(error)->str2 : NULL;
}

static void
fail_refused(const QmpCommand *command, const Json *refusal, GError **err)
{
    const char *text = json_string_value(json_object_get(refusal, "desc"));
    GError *error = NULL;

    fail(&error, VIR_ERR_INTERNAL_ERROR, "unable to execute QEMU command '%s': %s", command->name,
         text ? text : "no reason given");
    error_detail_edit(error)->str2 = g_strdup(json_string_value(json_object_get(refusal, "class")));
    g_propagate_error(err, error);
}

const Json *
qmp_batch_reply(const QmpBatch *batch, guint n, GError **err)
{
    const QmpCommand *command = &g_array_index(batch->commands, QmpCommand, n);
    const Json *value = json_object_get(command->answer, "return");

    if (value)
        return value;
    if (json_object_get(command->answer, "error"))
        fail_refused(command, json_object_get(command->answer, "error"), err);
    else
        fail(err, VIR_ERR_OPERATION_TIMEOUT, "the emulator has not answered '%s'", command->name);
    return NULL;
}

bool
qmp_batch_all_ok(const QmpBatch *batch, GError **err)
{
    for (guint i = 0; i < batch->commands->len; i++)
        if (!qmp_batch_reply(batch, i, err))
            return false;
    return true;
}

Json *
qmp_call_within(Qmp *qmp, const char *command, Json *take_args, int timeout_ms, GError **err)
{
    g_autoptr(QmpBatch) batch = qmp_batch_new();

    qmp_batch_add(batch, command, take_args);
    if (!qmp_batch_run(batch, qmp, timeout_ms, err))
        return NULL;
    return json_incref((Json *)qmp_batch_reply(batch, 0, err));
}

Json *
qmp_call(Qmp *qmp, const char *command, Json *take_args, GError **err)
{
    return qmp_call_within(qmp, command, take_args, QMP_TIMEOUT_MS, err);
}

bool
qmp_run(Qmp *qmp, const char *command, Json *take_args, GError **err)
{
    g_autoptr(Json) value = qmp_call(qmp, command, take_args, err);

    return value != NULL;
}

char *
qmp_hmp(Qmp *qmp, const char *line, GError **err)
{
    g_autoptr(Json) value =
        qmp_call(qmp, "human-monitor-command", json_pack("{s:s}", "command-line", line), err);

    if (!value)
        return NULL;
    return g_strdup(json_is_string(value) ? json_string_value(value) : "");
}

bool
qmp_pass_fd(Qmp *qmp, int fd, const char *fd_name, GError **err)
{
    g_autoptr(QmpBatch) batch = qmp_batch_new();

    qmp_batch_attach_fd(batch, fd);
    qmp_batch_add(batch, "getfd", json_pack("{s:s}", "fdname", fd_name));
    return qmp_batch_run(batch, qmp, QMP_TIMEOUT_MS, err) && qmp_batch_all_ok(batch, err);
}

char *
qmp_pass_through(Qmp *qmp, const char *text, GError **err)
{
    g_autoptr(QmpBatch) batch = qmp_batch_new();
    g_autoptr(Json) message = json_loads(text, 0, NULL);
    const char *name = json_string_value(json_object_get(message, "execute"));
    g_autoptr(Json) own_id = json_incref(json_object_get(message, "id"));
    Json *answer;
    char *reply, *copy;

    if (!name)
        return fail_null(err, VIR_ERR_INVALID_ARG,
                         "monitor command '%s' is no JSON object with 'execute'", text);
    json_object_del(message, "id");
    add_message(batch, name, message);
    if (!qmp_batch_run(batch, qmp, QMP_TIMEOUT_MS, err))
        return NULL;
    answer = g_array_index(batch->commands, QmpCommand, 0).answer;
    if (own_id)
        json_object_set(answer, "id", own_id);
    reply = json_dumps(answer, JSON_COMPACT);
    copy = g_strdup(reply);
    free(reply);
    return copy;
}

static bool
greeting_is_there(Qmp *qmp, gpointer unused)
{
    return qmp->is_greeted;
}

bool
qmp_wait_greeting(Qmp *qmp, int timeout_ms, GError **err)
{
    bool ok;

    g_mutex_lock(&qmp->mutex);
    ok = wait_locked(qmp, greeting_is_there, NULL, clock_monotonic_ms() + timeout_ms);
    if (!ok && is_open_locked(qmp, err))
        fail(err, VIR_ERR_OPERATION_TIMEOUT,
             "domain '%s': no greeting from the emulator's monitor within %d s", qmp->name,
             timeout_ms / 1000);
    g_mutex_unlock(&qmp->mutex);
    return ok;
}

bool
qmp_handshake(Qmp *qmp, int timeout_ms, GError **err)
{
    return qmp_wait_greeting(qmp, timeout_ms, err) && qmp_run(qmp, "qmp_capabilities", NULL, err);
}

gint64
qmp_silent_ms(Qmp *qmp)
{
    gint64 since_ms;

    g_mutex_lock(&qmp->mutex);
    since_ms = qmp->oldest_ms;
    g_mutex_unlock(&qmp->mutex);
    return since_ms ? MAX(clock_monotonic_ms() - since_ms, 1) : 0;
}
