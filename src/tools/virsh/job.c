/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See job.h. The call blocks in a thread; the connection is shared, so this thread can ask for the job's progress meanwhile. */
#include "tools/virsh/job.h"

#include <stdio.h>

#define PROGRESS_MS 500

typedef struct {
    virDomainPtr domain;
    int (*call)(virDomainPtr domain, void *opaque);
    void *opaque;
    int result;
    virErrorPtr error; /* errors belong to a thread: carried over */
    bool done;
    int wake; /* timer of the main thread that looks at @ended */
    gint ended;
} Job;

typedef struct {
    Job *job;
    const JobOptions *options;
    gint64 began_us;
    bool timed_out;
} Progress;

static void *
run_job(void *opaque)
{
    Job *job = opaque;

    job->result = job->call(job->domain, job->opaque);
    if (job->result < 0)
        job->error = virSaveLastError();
    g_atomic_int_set(&job->ended, 1);
    /* Wakes the loop at once. */
    virEventUpdateTimeout(job->wake, 0);
    return NULL;
}

static void
on_end(int timer, void *opaque)
{
    Job *job = opaque;

    job->done = g_atomic_int_get(&job->ended);
    virEventUpdateTimeout(timer, -1);
}

void
job_print_progress(const char *label, unsigned long long left, unsigned long long total)
{
    int percent = !total ? 0 : left ? MIN(99, (int)(100 - left * 100.0 / total)) : 100;

    fprintf(stderr, "\r%s: [%3d %%]", label, percent);
    fflush(stderr);
}

static void
on_progress(int timer, void *opaque)
{
    Progress *progress = opaque;
    const JobOptions *options = progress->options;
    virDomainPtr domain = progress->job->domain;
    virDomainJobInfo info;

    if (options->label && virDomainGetJobInfo(domain, &info) == 0 &&
        info.type != VIR_DOMAIN_JOB_NONE)
        job_print_progress(options->label, info.dataRemaining, info.dataTotal);
    if (options->timeout_s && !progress->timed_out &&
        g_get_monotonic_time() - progress->began_us > options->timeout_s * G_USEC_PER_SEC) {
        progress->timed_out = true;
        if (options->on_timeout(domain) < 0)
            fprintf(stderr, "error: timed out, and cannot %s: %s\n", options->timeout_name,
                    virGetLastErrorMessage());
    }
    shell_forget_error();
}

bool
job_watch_options(Shell *shell, virDomainPtr domain, int (*call)(virDomainPtr domain, void *opaque),
                  void *opaque, const JobOptions *options)
{
    Job job = {.domain = domain, .call = call, .opaque = opaque, .result = -1};
    Progress progress = {&job, options, g_get_monotonic_time(), false};
    bool aborted = false;

    fflush(stdout);
    job.wake = virEventAddTimeout(-1, on_end, &job, NULL);
    int timer = options->label || options->timeout_s
                    ? virEventAddTimeout(PROGRESS_MS, on_progress, &progress, NULL)
                    : -1;
    GThread *thread = g_thread_new("job", run_job, &job);
    while (!job.done) {
        bool alive = shell_run_loop(shell, &job.done);
        if (job.done || (!alive && aborted))
            break;
        /* Ctrl-C: the call returns once its job is aborted; should that fail, the next Ctrl-C tries again. */
        aborted = virDomainAbortJob(domain) == 0 || !alive;
        shell_clear_interrupt();
    }
    g_thread_join(thread);
    virEventRemoveTimeout(job.wake);
    if (timer >= 0)
        virEventRemoveTimeout(timer);
    if (options->label && job.result >= 0)
        job_print_progress(options->label, 0, 1);
    if (options->label)
        fputc('\n', stderr);
    if (job.error) {
        shell_carry_error(shell, job.error->message);
        virFreeError(job.error);
    }
    return job.result >= 0;
}

bool
job_watch(Shell *shell, virDomainPtr domain, int (*call)(virDomainPtr domain, void *opaque),
          void *opaque, const char *label)
{
    const JobOptions options = {.label = label};

    return job_watch_options(shell, domain, call, opaque, &options);
}
