/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands, processes and stubs, with programs that every system has. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libvirt/virterror.h>

#include "base/error.h"
#include "base/fd.h"
#include "seam/clock.h"
#include "seam/command.h"
#include "seam/proc.h"
#include "seam/process.h"
#include "seam/stub.h"
#include "seam/unix.h"

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
command_gives_output_and_input(void)
{
    g_auto(CommandResult) result = {0};
    g_autoptr(GError) err = NULL;

    g_assert_true(
        command_run(&(CommandSpec){.argv = WORDS("cat"), .input = "hello\n"}, &result, &err));
    g_assert_no_error(err);
    g_assert_cmpstr(result.out, ==, "hello\n");
    g_assert_cmpint(result.status, ==, 0);
}

static void
command_quotes_status_and_stderr(void)
{
    g_auto(CommandResult) result = {0};
    g_autoptr(GError) err = NULL;

    g_assert_false(
        command_run(&(CommandSpec){.argv = WORDS("ls", "/does/not/exist")}, &result, &err));
    g_assert_nonnull(strstr(err->message, "'ls' failed with status 2"));
    g_assert_nonnull(strstr(err->message, "/does/not/exist"));
}

static void
command_that_is_missing_says_so(void)
{
    g_autoptr(GError) err = NULL;

    g_assert_false(command_run(&(CommandSpec){.argv = WORDS("no-such-program-here")}, NULL, &err));
    g_assert_nonnull(strstr(err->message, "is not installed"));
}

static void
command_is_killed_at_its_deadline(void)
{
    g_auto(CommandResult) result = {0};
    g_autoptr(GError) err = NULL;

    g_assert_false(command_run(&(CommandSpec){.argv = WORDS("cat", "/dev/zero"),
                                              .timeout_ms = 50,
                                              .max_output_bytes = 100},
                               &result, &err));
    g_assert_true(error_is(err, VIR_ERR_OPERATION_TIMEOUT));
    g_assert_cmpint(result.out_len, ==, 100);
    g_assert_true(result.timed_out);
}

static void
command_sees_only_the_descriptors_it_was_given(void)
{
    g_auto(CommandResult) result = {0};
    g_autoptr(GError) err = NULL;
    auto_fd int given = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    auto_fd int hidden = open("/dev/full", O_RDONLY | O_CLOEXEC);

    g_assert_cmpint(hidden, >=, 0);
    g_assert_true(command_run(&(CommandSpec){.argv = WORDS("ls", "-l", "/proc/self/fd"),
                                             .keep_fds = &given,
                                             .n_keep_fds = 1},
                              &result, &err));
    g_assert_nonnull(strstr(result.out, "/dev/zero"));
    g_assert_null(strstr(result.out, "/dev/full"));
}

static void
process_identity_survives_text(void)
{
    ProcessId id, again;
    g_autofree char *text = NULL;

    g_assert_true(process_identify(getpid(), &id, NULL));
    text = process_id_format(&id);
    g_assert_true(process_id_parse(text, &again));
    g_assert_true(process_id_equal(&id, &again));
    g_assert_false(process_id_parse("0 1 boot", &again));
    g_assert_false(process_id_parse("12 x boot", &again));
}

static void
process_with_other_start_time_is_not_opened(void)
{
    g_autoptr(GError) err = NULL;
    ProcessId id;

    g_assert_true(process_identify(getpid(), &id, NULL));
    id.start_time++;
    g_assert_cmpint(process_open(&id, &err), ==, -1);
    g_assert_nonnull(strstr(err->message, "has ended"));
}

static Stub *
make_stub(const char *const *argv, int log_fd)
{
    g_autoptr(GError) err = NULL;
    Stub *stub = stub_spawn(
        &(StubSpec){.path = argv[0], .argv = argv, .env = WORDS("A=B"), .log_fd = log_fd}, &err);

    g_assert_no_error(err);
    return stub;
}

static void
stub_runs_nothing_before_it_is_released(void)
{
    g_autoptr(GError) err = NULL;
    int ends[2];
    auto_fd int reader = -1;
    auto_fd int writer = -1;
    char said[64] = "";
    int status;

    g_assert_cmpint(pipe2(ends, O_CLOEXEC | O_NONBLOCK), ==, 0);
    reader = ends[0];
    writer = ends[1];
    {
        g_autoptr(Stub) stub = make_stub(WORDS("/bin/echo", "ran"), writer);

        g_assert_cmpint(stub->id.pid, >, 0);
        g_assert_true(process_is_running(stub->pidfd));
        g_assert_cmpint(read(reader, said, sizeof(said)), ==, -1);
        g_assert_true(stub_release(stub, &err));
        g_assert_true(process_wait(stub->pidfd, 5000));
        g_assert_cmpint(read(reader, said, sizeof(said) - 1), ==, 4);
        g_assert_cmpstr(said, ==, "ran\n");
        /* A zombie has ended. */
        g_assert_false(process_is_running(stub->pidfd));
        g_assert_true(process_reap(stub->pidfd, &status));
        g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static void
stub_ends_when_it_is_given_up(void)
{
    auto_fd int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    auto_fd int pidfd = -1;
    Stub *stub = make_stub(WORDS("/bin/sleep", "60"), null_fd);

    pidfd = fcntl(stub->pidfd, F_DUPFD_CLOEXEC, 3);
    stub_free(stub);
    g_assert_false(process_is_running(pidfd));
}

static void
stub_reports_why_exec_failed(void)
{
    auto_fd int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    g_autoptr(GError) err = NULL;
    g_autoptr(Stub) stub = make_stub(WORDS("/does/not/exist"), null_fd);

    g_assert_false(stub_release(stub, &err));
    g_assert_nonnull(strstr(err->message, "No such file"));
}

static void
socket_with_a_long_path_is_bound_and_reached(void)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *dir = g_dir_make_tmp("seam-XXXXXX", NULL);
    g_autofree char *filler = g_strnfill(150, 'd');
    g_autofree char *folder = g_build_filename(dir, filler, NULL);
    g_autofree char *path = g_build_filename(folder, "monitor.sock", NULL);
    auto_fd int listener = -1;
    auto_fd int client = -1;

    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    listener = unix_listen(path, 0600, 1, &err);
    g_assert_no_error(err);
    client = unix_connect(path, &err);
    g_assert_no_error(err);
    g_assert_cmpint(client, >=, 0);
    unlink(path);
    rmdir(folder);
    rmdir(dir);
}

static void
fields_of_proc_files_are_found(void)
{
    g_autofree char *total =
        proc_find_field("MemTotalX: 1\nMemTotal:       24684084 kB\nMemFree: 2\n", "MemTotal");
    g_autofree char *none = proc_find_field("A: 1\n", "B");

    g_assert_cmpstr(total, ==, "24684084 kB");
    g_assert_null(none);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    g_test_add_func("/seam/command-gives-output-and-input", command_gives_output_and_input);
    g_test_add_func("/seam/command-quotes-status-and-stderr", command_quotes_status_and_stderr);
    g_test_add_func("/seam/command-that-is-missing-says-so", command_that_is_missing_says_so);
    g_test_add_func("/seam/command-is-killed-at-its-deadline", command_is_killed_at_its_deadline);
    g_test_add_func("/seam/command-sees-only-given-descriptors",
                    command_sees_only_the_descriptors_it_was_given);
    g_test_add_func("/seam/process-identity-survives-text", process_identity_survives_text);
    g_test_add_func("/seam/process-with-other-start-time-is-not-opened",
                    process_with_other_start_time_is_not_opened);
    g_test_add_func("/seam/stub-runs-nothing-before-release",
                    stub_runs_nothing_before_it_is_released);
    g_test_add_func("/seam/stub-ends-when-given-up", stub_ends_when_it_is_given_up);
    g_test_add_func("/seam/stub-reports-why-exec-failed", stub_reports_why_exec_failed);
    g_test_add_func("/seam/socket-with-long-path", socket_with_a_long_path_is_bound_and_reached);
    g_test_add_func("/seam/proc-fields", fields_of_proc_files_are_found);
    return g_test_run();
}
