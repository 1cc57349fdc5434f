/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/job: journals that survive being cut off anywhere, and jobs that end exactly before or
 * after. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "job/fault.h"
#include "job/job.h"

typedef struct {
    char *dir;
    char *path; /* of the journal */
} Folder;

/* A plan of two "files", made and removed in a string of letters, so that every order of events can
 * be seen. */
typedef struct {
    char *name;
} Plan;

static GString *happened;
static int waits;

static void
set_up(Folder *folder, gconstpointer unused)
{
    folder->dir = g_dir_make_tmp("job-XXXXXX", NULL);
    folder->path = g_build_filename(folder->dir, "x.wal", NULL);
    happened = g_string_new(NULL);
    waits = 0;
}

static void
tear_down(Folder *folder, gconstpointer unused)
{
    g_auto(GStrv) names = dir_list(folder->dir, NULL);

    fault_setup_folder(NULL);
    for (int i = 0; names[i]; i++) {
        g_autofree char *path = g_build_filename(folder->dir, names[i], NULL);
        unlink(path);
    }
    rmdir(folder->dir);
    g_free(folder->dir);
    g_free(folder->path);
    g_string_free(happened, TRUE);
}

/* ---- journal ---- */

static void
append_text(Journal *journal, JournalType type, const char *text)
{
    g_autoptr(Record) record = record_new();

    record_add(record, "text", text);
    g_assert_true(journal_append(journal, type, record, true, NULL));
}

static void
crc32c_has_the_known_value(Folder *folder, gconstpointer unused)
{
    g_assert_cmphex(crc32c(0, (const guchar *)"123456789", 9), ==, 0xe3069283);
}

static void
journal_reads_back_what_was_written(Folder *folder, gconstpointer unused)
{
    g_autoptr(Journal) journal = journal_create(folder->path, NULL);
    g_autoptr(Journal) again = NULL;

    append_text(journal, JOURNAL_BEGIN, "one\ntwo = \"x\"");
    append_text(journal, JOURNAL_COMMIT, "");
    again = journal_open(folder->path, NULL);
    g_assert_cmpuint(journal_count(again), ==, 2);
    g_assert_cmpstr(record_get(journal_entry(again, 0)->values, "text"), ==, "one\ntwo = \"x\"");
    g_assert_nonnull(journal_last(again, JOURNAL_COMMIT));
    append_text(again, JOURNAL_STEP, "three");
    g_assert_cmpuint(journal_entry(again, 2)->sequence, ==, 2);
}

static void
second_journal_for_the_same_object_is_refused(Folder *folder, gconstpointer unused)
{
    g_autoptr(Journal) journal = journal_create(folder->path, NULL);
    g_autoptr(GError) err = NULL;

    g_assert_nonnull(journal);
    g_assert_null(journal_create(folder->path, &err));
    g_assert_true(error_is(err, VIR_ERR_OPERATION_INVALID));
}

static void
journal_cut_off_at_every_byte_gives_its_whole_records(Folder *folder, gconstpointer unused)
{
    g_autoptr(Journal) journal = journal_create(folder->path, NULL);
    g_autofree char *bytes = NULL;
    gsize ends[4], len;
    struct stat st;

    for (int i = 0; i < 4; i++) {
        append_text(journal, JOURNAL_STEP, "some text in a record");
        g_assert_cmpint(stat(folder->path, &st), ==, 0);
        ends[i] = st.st_size;
    }
    g_assert_true(g_file_get_contents(folder->path, &bytes, &len, NULL));
    for (gsize cut = 0; cut <= len; cut++) {
        g_autoptr(Journal) read = NULL;
        guint whole = 0;

        while (whole < 4 && ends[whole] <= cut)
            whole++;
        g_assert_true(g_file_set_contents(folder->path, bytes, cut, NULL));
        read = journal_open(folder->path, NULL);
        g_assert_nonnull(read);
        g_assert_cmpuint(journal_count(read), ==, whole);
        append_text(read, JOURNAL_COMMIT, "after the cut");
        journal_close(g_steal_pointer(&read));
        read = journal_open(folder->path, NULL);
        g_assert_cmpuint(journal_count(read), ==, whole + 1);
    }
}

/* Two records whose bytes are to be spoilt. */
static char *
two_records(const Folder *folder, gsize *len)
{
    g_autoptr(Journal) journal = journal_create(folder->path, NULL);
    char *bytes;

    append_text(journal, JOURNAL_BEGIN, "first");
    append_text(journal, JOURNAL_COMMIT, "second");
    g_assert_true(g_file_get_contents(folder->path, &bytes, len, NULL));
    return bytes;
}

static void
check_refused(const Folder *folder, const char *bytes, gsize len, const char *why)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *after = NULL;
    gsize after_len;

    g_assert_true(g_file_set_contents(folder->path, bytes, (gssize)len, NULL));
    g_assert_null(journal_open(folder->path, &err));
    g_assert_nonnull(strstr(err->message, why));
    g_assert_true(g_file_get_contents(folder->path, &after, &after_len, NULL));
    g_assert_cmpmem(bytes, len, after, after_len);
}

static void
journal_with_any_flipped_bit_is_refused_and_kept(Folder *folder, gconstpointer unused)
{
    gsize len;
    g_autofree char *bytes = two_records(folder, &len);

    for (gsize i = 0; i < len; i++) {
        g_autoptr(Journal) read = NULL;

        bytes[i] ^= 1;
        g_assert_true(g_file_set_contents(folder->path, bytes, (gssize)len, NULL));
        read = journal_open(folder->path, NULL);
        /* A longer length of the last record looks like one that was cut off; nothing else does. */
        if (read)
            g_assert_cmpuint(journal_count(read), ==, 1);
        else
            check_refused(folder, bytes, len, i < 16 ? "no journal" : "wrong checksum");
        bytes[i] ^= 1;
    }
}

static void
journal_with_an_unknown_record_is_refused(Folder *folder, gconstpointer unused)
{
    g_autoptr(Journal) journal = journal_create(folder->path, NULL);
    g_autofree char *bytes = NULL;
    gsize len;

    append_text(journal, JOURNAL_BEGIN, "first");
    append_text(journal, JOURNAL_NOTE + 1, "second");
    g_assert_true(g_file_get_contents(folder->path, &bytes, &len, NULL));
    check_refused(folder, bytes, len, "of type 6, which this daemon does not know");
}

static void
journal_that_lost_a_record_is_refused(Folder *folder, gconstpointer unused)
{
    gsize len;
    g_autofree char *bytes = two_records(folder, &len);
    gsize first = 16 + 8 + *(guint32 *)(gpointer)(bytes + 16);

    memmove(bytes + 16, bytes + first, len - first);
    check_refused(folder, bytes, len - (first - 16), "record 0 is expected, record 1 is found");
}

static void
journal_with_a_blank_tail_ends_before_it(Folder *folder, gconstpointer unused)
{
    gsize len;
    g_autofree char *bytes = two_records(folder, &len);
    g_autofree char *longer = g_malloc0(len + 4096);
    g_autoptr(Journal) read = NULL;

    memcpy(longer, bytes, len);
    g_assert_true(g_file_set_contents(folder->path, longer, (gssize)len + 4096, NULL));
    read = journal_open(folder->path, NULL);
    g_assert_cmpuint(journal_count(read), ==, 2);
}

static void
record_refuses_bytes_that_are_not_exactly_one(Folder *folder, gconstpointer unused)
{
    g_autoptr(Record) record = record_new();
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    record_add(record, "key", "value");
    record_to_bytes(record, bytes);
    for (gsize len = 0; len < bytes->len; len++)
        g_assert_null(record_from_bytes(bytes->data, len));
    g_byte_array_append(bytes, (const guchar *)"x", 1);
    g_assert_null(record_from_bytes(bytes->data, bytes->len));
}

/* ---- jobs ---- */

static StepResult
first_run(Job *job, GError **err)
{
    g_string_append_c(happened, 'a');
    return STEP_DONE;
}

static bool
first_undo(Job *job, GError **err)
{
    g_string_append_c(happened, 'A');
    return true;
}

static StepResult
second_run(Job *job, GError **err)
{
    g_autoptr(Record) note = record_new();

    if (waits > 0) {
        waits--;
        g_string_append_c(happened, '.');
        return STEP_WAIT;
    }
    record_add(note, "made", "b");
    g_assert_true(job_note(job, note, NULL));
    g_string_append_c(happened, 'b');
    return job_fault(job, "middle", err) ? STEP_DONE : STEP_FAILED;
}

static bool
second_undo(Job *job, GError **err)
{
    g_string_append_c(happened, job_find_note(job, "made") ? 'B' : '-');
    return true;
}

static StepResult
third_run(Job *job, GError **err)
{
    g_string_append_c(happened, 'c');
    return STEP_DONE;
}

static const JobStep steps[] = {
    {"first", .run = first_run, .undo = first_undo},
    {"second", .run = second_run, .undo = second_undo},
    {"commit", .barrier = true},
    {"third", .run = third_run},
    {0},
};

static void
save_plan(const void *plan, Record *record)
{
    record_add(record, "name", ((const Plan *)plan)->name);
}

static void
free_plan(void *plan)
{
    g_free(((Plan *)plan)->name);
    g_free(plan);
}

static void *
load_plan(const Record *record, GError **err)
{
    Plan *plan = g_new0(Plan, 1);

    plan->name = g_strdup(record_get(record, "name"));
    return plan;
}

static const JobKind kind = {.name = "test",
                             .steps = steps,
                             .save_plan = save_plan,
                             .load_plan = load_plan,
                             .free_plan = free_plan};
static const JobKind *const kinds[] = {&kind, NULL};

static Job *
begin(const Folder *folder)
{
    Plan *plan = g_new0(Plan, 1);
    Job *job;

    plan->name = g_strdup("p");
    job = job_new(&kind, "web1", plan, NULL);
    g_assert_true(job_begin(job, folder->path, NULL));
    return job;
}

static void
job_of_another_version_is_refused_and_kept(Folder *folder, gconstpointer unused)
{
    g_autoptr(Journal) journal = journal_create(folder->path, NULL);
    g_autoptr(Record) plan = record_new();
    g_autoptr(GError) err = NULL;

    record_add(plan, "version", "2");
    record_add(plan, "kind", "test");
    record_add(plan, "id", "test-1");
    g_assert_true(journal_append(journal, JOURNAL_BEGIN, plan, true, NULL));
    g_assert_null(job_load(kinds, "web1", folder->path, NULL, &err));
    g_assert_nonnull(strstr(err->message, "another version"));
    g_assert_true(file_exists(folder->path));
}

static void
arm(const Folder *folder, const char *line)
{
    g_autofree char *path = g_build_filename(folder->dir, "armed", NULL);

    g_assert_true(g_file_set_contents(path, line, -1, NULL));
    fault_setup_folder(folder->dir);
}

static void
disarm(const Folder *folder)
{
    g_autofree char *path = g_build_filename(folder->dir, "armed", NULL);

    unlink(path);
}

static void
job_runs_its_steps_and_leaves_no_journal(Folder *folder, gconstpointer unused)
{
    g_autoptr(Job) job = begin(folder);

    g_assert_cmpint(job_advance(job), ==, JOB_DONE);
    g_assert_cmpstr(happened->str, ==, "abc");
    g_assert_false(file_exists(folder->path));
}

static void
step_that_waits_runs_again_when_woken(Folder *folder, gconstpointer unused)
{
    g_autoptr(Job) job = begin(folder);

    waits = 2;
    g_assert_cmpint(job_advance(job), ==, JOB_WAITING);
    g_assert_cmpint(job_advance(job), ==, JOB_WAITING);
    g_assert_cmpint(job_advance(job), ==, JOB_DONE);
    g_assert_cmpstr(happened->str, ==, "a..bc");
}

static void
failure_before_the_barrier_undoes_the_last_step_first(Folder *folder, gconstpointer unused)
{
    g_autoptr(Job) job = begin(folder);

    arm(folder, "test/second/middle fail\n");
    g_assert_cmpint(job_advance(job), ==, JOB_UNDONE);
    g_assert_cmpstr(happened->str, ==, "abBA");
    g_assert_nonnull(strstr(job_error(job)->message, "test/second/middle"));
    g_assert_false(file_exists(folder->path));
}

static void
failure_after_the_barrier_stays_open_and_is_tried_again(Folder *folder, gconstpointer unused)
{
    g_autoptr(Job) job = begin(folder);

    arm(folder, "test/third fail\n");
    g_assert_cmpint(job_advance(job), ==, JOB_STUCK);
    g_assert_cmpstr(happened->str, ==, "ab");
    g_assert_true(file_exists(folder->path));
    disarm(folder);
    g_assert_cmpint(job_advance(job), ==, JOB_DONE);
    g_assert_cmpstr(happened->str, ==, "abc");
}

static void
undo_that_fails_keeps_the_journal_and_lets_others_go_back(Folder *folder, gconstpointer unused)
{
    g_autoptr(Job) job = begin(folder);

    arm(folder, "test/commit fail\ntest/undo/second fail\n");
    g_assert_cmpint(job_advance(job), ==, JOB_STUCK);
    g_assert_cmpstr(happened->str, ==, "abA");
    disarm(folder);
    g_assert_cmpint(job_advance(job), ==, JOB_UNDONE);
    g_assert_cmpstr(happened->str, ==, "abABA");
}

static void
cancel_before_the_barrier_goes_back(Folder *folder, gconstpointer unused)
{
    g_autoptr(Job) job = begin(folder);

    waits = 1;
    g_assert_cmpint(job_advance(job), ==, JOB_WAITING);
    job_cancel(job);
    g_assert_cmpint(job_advance(job), ==, JOB_UNDONE);
    g_assert_true(error_is(job_error(job), VIR_ERR_OPERATION_ABORTED));
    g_assert_cmpstr(happened->str, ==, "a.-A");
}

/* Run the job in a child that dies at @point. */
static void
die_at(const Folder *folder, const char *point)
{
    g_autofree char *line = g_strconcat(point, " kill\n", NULL);
    pid_t child = fork();
    int status;

    if (child == 0) {
        g_autoptr(Job) job = NULL;

        arm(folder, line);
        job = begin(folder);
        job_advance(job);
        _exit(1);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    disarm(folder);
}

static void
killed_at_every_point_it_ends_before_or_after(Folder *folder, gconstpointer unused)
{
    static const struct {
        const char *point;
        const char *events; /* of the recovery */
    } cases[] = {
        {"test/first", "-A"},  {"test/second", "-A"},        {"test/second/middle", "BA"},
        {"test/commit", "BA"}, {"test/commit/before", "BA"}, {"test/commit/after", "c"},
        {"test/third", "c"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(Job) job = NULL;

        die_at(folder, cases[i].point);
        g_string_truncate(happened, 0);
        job = job_load(kinds, "web1", folder->path, NULL, &err);
        g_assert_no_error(err);
        g_assert_true(job_is_recovered(job));
        job_advance(job);
        g_assert_cmpstr(happened->str, ==, cases[i].events);
        g_assert_false(file_exists(folder->path));
    }
}

static void
killed_before_the_plan_was_written_nothing_is_left(Folder *folder, gconstpointer unused)
{
    g_autoptr(GError) err = NULL;

    g_assert_true(g_file_set_contents(folder->path, "ManifoldJou", -1, NULL));
    g_assert_null(job_load(kinds, "web1", folder->path, NULL, &err));
    g_assert_no_error(err);
    g_assert_false(file_exists(folder->path));
}

static JobDirection
forward(Job *job, GError **err)
{
    return JOB_FORWARD;
}

static void
job_that_knows_better_goes_forward_without_a_commit(Folder *folder, gconstpointer unused)
{
    JobKind knowing = kind;
    const JobKind *const known[] = {&knowing, NULL};
    g_autoptr(Job) job = NULL;

    knowing.decide = forward;
    die_at(folder, "test/commit");
    g_string_truncate(happened, 0);
    job = job_load(known, "web1", folder->path, NULL, NULL);
    g_assert_cmpint(job_advance(job), ==, JOB_DONE);
    g_assert_cmpstr(happened->str, ==, "c");
}

typedef struct {
    GMutex lock;
    GCond cond;
    bool is_done;
} Waiter;

static void
on_done(Job *job, const GError *error, void *data)
{
    Waiter *waiter = data;

    g_assert_no_error(error);
    g_mutex_lock(&waiter->lock);
    waiter->is_done = true;
    g_cond_signal(&waiter->cond);
    g_mutex_unlock(&waiter->lock);
}

static void
job_on_a_strand_holds_no_thread_while_it_waits(Folder *folder, gconstpointer unused)
{
    g_autoptr(Pool) pool = pool_new(1, 2);
    g_autoptr(Strand) strand = strand_new(pool, "domain web1");
    g_autoptr(Job) job = begin(folder);
    Waiter waiter = {0};

    waits = 1;
    job_start(job, strand, on_done, &waiter);
    g_assert_true(strand_enter(strand, -1, NULL)); /* behind the first advance */
    g_assert_cmpint(job_state(job), ==, JOB_WAITING);
    strand_leave(strand);
    job_wake(job);
    g_mutex_lock(&waiter.lock);
    while (!waiter.is_done)
        g_cond_wait(&waiter.cond, &waiter.lock);
    g_mutex_unlock(&waiter.lock);
    g_assert_cmpstr(happened->str, ==, "a.bc");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add("/job/" #name, Folder, NULL, set_up, name, tear_down)
    ADD(crc32c_has_the_known_value);
    ADD(journal_reads_back_what_was_written);
    ADD(second_journal_for_the_same_object_is_refused);
    ADD(journal_cut_off_at_every_byte_gives_its_whole_records);
    ADD(journal_with_any_flipped_bit_is_refused_and_kept);
    ADD(journal_with_an_unknown_record_is_refused);
    ADD(journal_that_lost_a_record_is_refused);
    ADD(journal_with_a_blank_tail_ends_before_it);
    ADD(job_of_another_version_is_refused_and_kept);
    ADD(record_refuses_bytes_that_are_not_exactly_one);
    ADD(job_runs_its_steps_and_leaves_no_journal);
    ADD(step_that_waits_runs_again_when_woken);
    ADD(failure_before_the_barrier_undoes_the_last_step_first);
    ADD(failure_after_the_barrier_stays_open_and_is_tried_again);
    ADD(undo_that_fails_keeps_the_journal_and_lets_others_go_back);
    ADD(cancel_before_the_barrier_goes_back);
    ADD(killed_at_every_point_it_ends_before_or_after);
    ADD(killed_before_the_plan_was_written_nothing_is_left);
    ADD(job_that_knows_better_goes_forward_without_a_commit);
    ADD(job_on_a_strand_holds_no_thread_while_it_waits);
    return g_test_run();
}
