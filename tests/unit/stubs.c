/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The generated client functions, one or more of each kind: what they send, what they make of the reply, and that they
 * trust neither caller nor server. stub_fake.h stands in for the connection. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "stub_fake.h"

#include <libvirt/libvirt-lxc.h>
#include <libvirt/libvirt-qemu.h>

#define DOMAIN ((virDomainPtr) "web1")
#define CONN ((virConnectPtr) "conn")
#define WEB1                   \
    {                          \
        .name = (char *)"web1" \
    }
#define REPLY(type, ...) fake_reply(0, CODEC(type), &(type){__VA_ARGS__})

static void
struct_is_filled_by_name(void)
{
    virDomainInfo info;
    RemoteDomainGetInfoArgs expected = {WEB1};

    REPLY(RemoteDomainGetInfoRet, 1, 2048, 1024, 4, 99);
    g_assert_cmpint(virDomainGetInfo(DOMAIN, &info), ==, 0);
    fake_assert_request(0, API_PROC(REMOTE_DOMAIN_GET_INFO), &expected);
    g_assert_cmpuint(info.state, ==, 1);
    g_assert_cmpuint(info.maxMem, ==, 2048);
    g_assert_cmpuint(info.nrVirtCpu, ==, 4);
    g_assert_cmpuint(info.cpuTime, ==, 99);
}

static void
members_in_another_order_are_matched_by_name(void)
{
    virDomainBlockInfo info;

    REPLY(RemoteDomainGetBlockInfoRet, .allocation = 1, .capacity = 2, .physical = 3);
    g_assert_cmpint(virDomainGetBlockInfo(DOMAIN, "vda", &info, 0), ==, 0);
    g_assert_cmpuint(info.allocation, ==, 1);
    g_assert_cmpuint(info.capacity, ==, 2);
    g_assert_cmpuint(info.physical, ==, 3);
}

static void
string_and_object_are_handed_over(void)
{
    g_autofree char *xml = NULL;
    g_autofree char *found = NULL;

    REPLY(RemoteDomainGetXmlDescRet, (char *)"<domain/>");
    xml = virDomainGetXMLDesc(DOMAIN, 0);
    g_assert_cmpstr(xml, ==, "<domain/>");
    fake_reset();
    REPLY(RemoteDomainLookupByNameRet, WEB1);
    found = (char *)virDomainLookupByName(CONN, "web1");
    g_assert_cmpstr(found, ==, "web1");
}

static void
list_ends_with_null_and_may_be_left_out(void)
{
    RemoteNonnullDomain two[] = {WEB1, {.name = (char *)"db"}};
    RemoteConnectListAllDomainsArgs expected = {.need_results = 1, .flags = 2};
    virDomainPtr *domains = NULL;

    REPLY(RemoteConnectListAllDomainsRet, {2, two}, 2);
    g_assert_cmpint(virConnectListAllDomains(CONN, &domains, 2), ==, 2);
    fake_assert_request(0, API_PROC(REMOTE_CONNECT_LIST_ALL_DOMAINS), &expected);
    g_assert_cmpstr((char *)domains[1], ==, "db");
    g_assert_null(domains[2]);
    g_strfreev((char **)domains);
    fake_reset();
    expected.need_results = 0;
    REPLY(RemoteConnectListAllDomainsRet, {0, NULL}, 7);
    g_assert_cmpint(virConnectListAllDomains(CONN, NULL, 2), ==, 7);
    fake_assert_request(0, API_PROC(REMOTE_CONNECT_LIST_ALL_DOMAINS), &expected);
}

static void
lying_count_does_not_reach_the_caller(void)
{
    RemoteNonnullDomain one[] = {WEB1};
    virDomainPtr *domains = NULL;

    REPLY(RemoteConnectListAllDomainsRet, {1, one}, 1000);
    g_assert_cmpint(virConnectListAllDomains(CONN, &domains, 0), ==, 1);
    g_strfreev((char **)domains);
}

static void
more_than_the_caller_has_room_for_is_an_error(void)
{
    int ids[2] = {7, 7};
    gint32 three[] = {1, 2, 3};
    char *names[1] = {NULL};
    char *two[] = {(char *)"a", (char *)"b"};

    REPLY(RemoteConnectListDomainsRet, {3, three});
    g_assert_cmpint(virConnectListDomains(CONN, ids, 2), ==, -1);
    g_assert_cmpint(fake.error_code, ==, VIR_ERR_RPC);
    g_assert_cmpint(ids[0], ==, 7);
    fake_reset();
    REPLY(RemoteConnectListDefinedDomainsRet, {2, two});
    g_assert_cmpint(virConnectListDefinedDomains(CONN, names, 1), ==, -1);
    g_assert_null(names[0]);
}

static void
names_belong_to_the_caller(void)
{
    char *names[3] = {NULL};
    char *two[] = {(char *)"a", (char *)"b"};

    REPLY(RemoteConnectListDefinedDomainsRet, {2, two});
    g_assert_cmpint(virConnectListDefinedDomains(CONN, names, 3), ==, 2);
    g_assert_cmpstr(names[1], ==, "b");
    g_free(names[0]);
    g_free(names[1]);
}

static void
typed_query_with_zero_asks_for_the_count(void)
{
    int n_params = 0;
    RemoteDomainGetMemoryParametersArgs expected = {WEB1, 0, VIR_TYPED_PARAM_STRING_OKAY};

    REPLY(RemoteDomainGetMemoryParametersRet, {0, NULL}, 3);
    g_assert_cmpint(virDomainGetMemoryParameters(DOMAIN, NULL, &n_params, 0), ==, 0);
    g_assert_cmpint(n_params, ==, 3);
    fake_assert_request(0, API_PROC(REMOTE_DOMAIN_GET_MEMORY_PARAMETERS), &expected);
}

static void
typed_query_fills_the_callers_array(void)
{
    RemoteTypedParam two[] = {{(char *)"a", {VIR_TYPED_PARAM_ULLONG, {.ul = 5}}},
                              {(char *)"b", {VIR_TYPED_PARAM_STRING, {.s = (char *)"text"}}}};
    virTypedParameter params[3];
    int n_params = 3;

    REPLY(RemoteDomainGetMemoryParametersRet, {2, two}, 2);
    g_assert_cmpint(virDomainGetMemoryParameters(DOMAIN, params, &n_params, 0), ==, 0);
    g_assert_cmpint(n_params, ==, 2);
    g_assert_cmpstr(params[0].field, ==, "a");
    g_assert_cmpuint(params[0].value.ul, ==, 5);
    g_assert_cmpstr(params[1].value.s, ==, "text");
    g_free(params[1].value.s);
    fake_reset();
    n_params = 1;
    REPLY(RemoteDomainGetMemoryParametersRet, {2, two}, 2);
    g_assert_cmpint(virDomainGetMemoryParameters(DOMAIN, params, &n_params, 0), ==, -1);
    g_assert_cmpint(n_params, ==, 1);
}

static void
typed_name_that_is_too_long_is_an_error(void)
{
    g_autofree char *name = g_strnfill(80, 'n');
    RemoteTypedParam two[] = {{(char *)"s", {VIR_TYPED_PARAM_STRING, {.s = (char *)"lost"}}},
                              {name, {VIR_TYPED_PARAM_INT, {.i = 5}}}};
    virTypedParameterPtr params = NULL;
    int n_params = 0;

    REPLY(RemoteDomainGetPerfEventsRet, {2, two});
    g_assert_cmpint(virDomainGetPerfEvents(DOMAIN, &params, &n_params, 0), ==, -1);
    g_assert_null(params);
}

static void
typed_array_is_allocated_with_what_comes_beside_it(void)
{
    RemoteTypedParam one[] = {{(char *)"b", {VIR_TYPED_PARAM_BOOLEAN, {.b = 1}}}};
    virTypedParameterPtr params = NULL;
    int n_params = 0;
    int type = 0;

    REPLY(RemoteDomainGetJobStatsRet, .type = 4, .params = {1, one});
    g_assert_cmpint(virDomainGetJobStats(DOMAIN, &type, &params, &n_params, 0), ==, 0);
    g_assert_cmpint(type, ==, 4);
    g_assert_cmpint(n_params, ==, 1);
    g_assert_cmpint(params[0].type, ==, VIR_TYPED_PARAM_BOOLEAN);
    virTypedParamsFree(params, n_params);
}

static void
typed_parameters_are_sent(void)
{
    virTypedParameter params[] = {{"hard_limit", VIR_TYPED_PARAM_ULLONG, {.ul = 9}},
                                  {"name", VIR_TYPED_PARAM_STRING, {.s = (char *)"x"}}};
    RemoteTypedParam wire[] = {{(char *)"hard_limit", {VIR_TYPED_PARAM_ULLONG, {.ul = 9}}},
                               {(char *)"name", {VIR_TYPED_PARAM_STRING, {.s = (char *)"x"}}}};
    RemoteDomainSetMemoryParametersArgs expected = {WEB1, {2, wire}, 1};

    g_assert_cmpint(virDomainSetMemoryParameters(DOMAIN, params, 2, 1), ==, 0);
    fake_assert_request(0, API_PROC(REMOTE_DOMAIN_SET_MEMORY_PARAMETERS), &expected);
    memset(params[1].field, 'x', sizeof(params[1].field));
    g_assert_cmpint(virDomainSetMemoryParameters(DOMAIN, params, 2, 1), ==, -1);
    g_assert_cmpint(fake.error_code, ==, VIR_ERR_INVALID_ARG);
    params[0].type = 99;
    g_assert_cmpint(virDomainSetMemoryParameters(DOMAIN, params, 1, 1), ==, -1);
    g_assert_cmpint(fake.n_calls, ==, 1);
}

static void
matrix_keeps_the_width_of_the_caller(void)
{
    RemoteTypedParam cells[] = {{(char *)"t", {VIR_TYPED_PARAM_ULLONG, {.ul = 1}}},
                                {(char *)"t", {VIR_TYPED_PARAM_ULLONG, {.ul = 2}}}};
    virTypedParameter params[6];

    REPLY(RemoteDomainGetCpuStatsRet, {2, cells}, 1);
    memset(params, 0xff, sizeof(params));
    g_assert_cmpint(virDomainGetCPUStats(DOMAIN, params, 2, 0, 3, 0), ==, 1);
    g_assert_cmpuint(params[0].value.ul, ==, 1);
    g_assert_cmpstr(params[1].field, ==, "");
    g_assert_cmpuint(params[2].value.ul, ==, 2);
    g_assert_cmpstr(params[4].field, ==, "");
    fake_reset();
    REPLY(RemoteDomainGetCpuStatsRet, {2, cells}, 3);
    g_assert_cmpint(virDomainGetCPUStats(DOMAIN, params, 2, 0, 3, 0), ==, -1);
    fake_reset();
    REPLY(RemoteDomainGetCpuStatsRet, {0, NULL}, 8);
    g_assert_cmpint(virDomainGetCPUStats(DOMAIN, NULL, 0, -1, 1, 0), ==, 8);
}

static void
statistics_are_cut_to_the_callers_size(void)
{
    virDomainBlockStatsStruct stats = {0};

    stats.errs = 77;
    REPLY(RemoteDomainBlockStatsRet, 1, 2, 3, 4, 5);
    g_assert_cmpint(virDomainBlockStats(DOMAIN, "vda", &stats, sizeof(long long) * 2), ==, 0);
    g_assert_cmpint(stats.rd_req, ==, 1);
    g_assert_cmpint(stats.rd_bytes, ==, 2);
    g_assert_cmpint(stats.wr_req, ==, 0);
    g_assert_cmpint(stats.errs, ==, 77);
}

static void
absent_block_job_leaves_zeros(void)
{
    virDomainBlockJobInfo info;

    memset(&info, 0xff, sizeof(info));
    REPLY(RemoteDomainGetBlockJobInfoRet, .found = 0, .cur = 5);
    g_assert_cmpint(virDomainGetBlockJobInfo(DOMAIN, "vda", &info, 0), ==, 0);
    g_assert_cmpuint(info.cur, ==, 0);
    fake_reset();
    REPLY(RemoteDomainGetBlockJobInfoRet, .found = 1, .type = 2, .cur = 5, .end = 9);
    g_assert_cmpint(virDomainGetBlockJobInfo(DOMAIN, "vda", &info, 0), ==, 1);
    g_assert_cmpuint(info.cur, ==, 5);
}

static void
security_label_must_fit(void)
{
    g_autofree char *text = g_strnfill(257, 'x');
    virSecurityLabelPtr labels = NULL;
    virSecurityModel model;
    RemoteDomainGetSecurityLabelRet two[] = {{{4, (char *)"one"}, 1}, {{1, (char *)""}, 0}};

    REPLY(RemoteNodeGetSecurityModelRet, {257, text}, {2, (char *)"0"});
    g_assert_cmpint(virNodeGetSecurityModel(CONN, &model), ==, 0);
    g_assert_cmpuint(strlen(model.model), ==, 256);
    g_assert_cmpstr(model.doi, ==, "0");
    fake_reset();
    REPLY(RemoteDomainGetSecurityLabelListRet, {2, two}, 2);
    g_assert_cmpint(virDomainGetSecurityLabelList(DOMAIN, &labels), ==, 2);
    g_assert_cmpstr(labels[0].label, ==, "one");
    g_assert_cmpint(labels[0].enforcing, ==, 1);
    g_assert_cmpstr(labels[1].label, ==, "");
    g_free(labels);
}

static void
bytes_come_in_the_length_that_was_asked(void)
{
    char buffer[4] = "----";
    guchar bytes[] = {1, 2, 3, 4};
    size_t size = 9;
    g_autofree unsigned char *value = NULL;

    REPLY(RemoteDomainBlockPeekRet, {4, bytes});
    g_assert_cmpint(virDomainBlockPeek(DOMAIN, "vda", 0, 4, buffer, 0), ==, 0);
    g_assert_cmpmem(buffer, 4, bytes, 4);
    fake_reset();
    REPLY(RemoteDomainBlockPeekRet, {3, bytes});
    g_assert_cmpint(virDomainBlockPeek(DOMAIN, "vda", 0, 4, buffer, 0), ==, -1);
    fake_reset();
    g_assert_cmpint(virDomainBlockPeek(DOMAIN, "vda", 0, G_MAXSIZE, buffer, 0), ==, -1);
    g_assert_cmpint(fake.error_code, ==, VIR_ERR_INVALID_ARG);
    fake_reset();
    REPLY(RemoteSecretGetValueRet, {0, NULL});
    value = virSecretGetValue((virSecretPtr) "s", &size, 0);
    g_assert_nonnull(value);
    g_assert_cmpuint(size, ==, 0);
}

static void
maps_of_cpus_are_optional(void)
{
    RemoteVcpuInfo one[] = {{0, 1, 55, 2}};
    guchar map[] = {0x03};
    virVcpuInfo info[2];
    unsigned char maps[4] = {9, 9, 9, 9};
    unsigned int online = 0;

    REPLY(RemoteDomainGetVcpusRet, {1, one}, {0, NULL});
    g_assert_cmpint(virDomainGetVcpus(DOMAIN, info, 2, NULL, 0), ==, 1);
    g_assert_cmpuint(info[0].cpuTime, ==, 55);
    fake_reset();
    REPLY(RemoteDomainGetVcpusRet, {1, one}, {1, map});
    g_assert_cmpint(virDomainGetVcpus(DOMAIN, info, 2, maps, 2), ==, 1);
    g_assert_cmpuint(maps[0], ==, 3);
    g_assert_cmpuint(maps[3], ==, 0);
    fake_reset();
    REPLY(RemoteNodeGetCpuMapRet, {0, NULL}, 3, 4);
    g_assert_cmpint(virNodeGetCPUMap(CONN, NULL, &online, 0), ==, 4);
    g_assert_cmpuint(online, ==, 3);
    fake_assert_request(0, API_PROC(REMOTE_NODE_GET_CPU_MAP), &(RemoteNodeGetCpuMapArgs){0, 1, 0});
}

static void
wire_order_differs_from_c(void)
{
    int n_params = 0;
    unsigned int pages[] = {4, 2048};
    unsigned long long counts[2] = {0};
    guint64 found[] = {10, 20};

    REPLY(RemoteNodeGetMemoryStatsRet, {0, NULL}, 2);
    g_assert_cmpint(virNodeGetMemoryStats(CONN, 5, NULL, &n_params, 0), ==, 0);
    fake_assert_request(0, API_PROC(REMOTE_NODE_GET_MEMORY_STATS),
                        &(RemoteNodeGetMemoryStatsArgs){.nparams = 0, .cellNum = 5});
    fake_reset();
    REPLY(RemoteNodeGetFreePagesRet, {2, found});
    g_assert_cmpint(virNodeGetFreePages(CONN, 2, pages, -1, 1, counts, 0), ==, 2);
    g_assert_cmpuint(counts[1], ==, 20);
    fake_assert_request(0, API_PROC(REMOTE_NODE_GET_FREE_PAGES),
                        &(RemoteNodeGetFreePagesArgs){{2, pages}, -1, 1, 0});
}

static void
starting_a_guest_learns_its_id(void)
{
    fake_reply(1, CODEC(RemoteDomainLookupByUuidRet),
               &(RemoteDomainLookupByUuidRet){{(char *)"web1", {0}, 12}});
    g_assert_cmpint(virDomainCreate(DOMAIN), ==, 0);
    g_assert_cmpint(fake.n_calls, ==, 2);
    g_assert_cmpint(fake.domain_id, ==, 12);
    fake_reset();
    REPLY(RemoteDomainCreateWithFlagsRet, {(char *)"web1", {0}, 13});
    g_assert_cmpint(virDomainCreateWithFlags(DOMAIN, 0), ==, 0);
    g_assert_cmpint(fake.domain_id, ==, 13);
    fake_reset();
    REPLY(RemoteDomainRenameRet, 0);
    g_assert_cmpint(virDomainRename(DOMAIN, "web2", 0), ==, 0);
    g_assert_cmpstr(fake.domain_name, ==, "web2");
}

static void
structures_are_allocated_and_freed(void)
{
    char *aliases[] = {(char *)"vda"};
    RemoteDomainFsinfo one[] = {{(char *)"/", (char *)"sda1", (char *)"ext4", {1, aliases}}};
    virDomainFSInfoPtr *info = NULL;
    RemoteDomainIpAddr address[] = {{0, (char *)"10.0.0.1", 24}};
    RemoteDomainInterface cards[] = {{(char *)"eth0", NULL, {1, address}}};
    virDomainInterfacePtr *ifaces = NULL;

    REPLY(RemoteDomainGetFsinfoRet, {1, one}, 1);
    g_assert_cmpint(virDomainGetFSInfo(DOMAIN, &info, 0), ==, 1);
    g_assert_cmpstr(info[0]->devAlias[0], ==, "vda");
    g_assert_null(info[1]);
    virDomainFSInfoFree(info[0]);
    g_free(info);
    fake_reset();
    REPLY(RemoteDomainInterfaceAddressesRet, {1, cards});
    g_assert_cmpint(virDomainInterfaceAddresses(DOMAIN, &ifaces, 0, 0), ==, 1);
    g_assert_cmpstr(ifaces[0]->addrs[0].addr, ==, "10.0.0.1");
    g_assert_null(ifaces[0]->hwaddr);
    virDomainInterfaceFree(ifaces[0]);
    g_free(ifaces);
}

static void
statistics_of_all_or_some_guests_are_one_procedure(void)
{
    RemoteTypedParam one[] = {{(char *)"state.state", {VIR_TYPED_PARAM_INT, {.i = 1}}}};
    RemoteDomainStatsRecord record[] = {{WEB1, {1, one}}};
    RemoteNonnullDomain asked[] = {WEB1};
    virDomainPtr domains[] = {DOMAIN, NULL};
    virDomainStatsRecordPtr *stats = NULL;

    REPLY(RemoteConnectGetAllDomainStatsRet, {1, record});
    g_assert_cmpint(virConnectGetAllDomainStats(CONN, 1, &stats, 2), ==, 1);
    g_assert_cmpstr((char *)stats[0]->dom, ==, "web1");
    g_assert_cmpint(stats[0]->params[0].value.i, ==, 1);
    virDomainStatsRecordListFree(stats);
    fake_assert_request(0, API_PROC(REMOTE_CONNECT_GET_ALL_DOMAIN_STATS),
                        &(RemoteConnectGetAllDomainStatsArgs){{0, NULL}, 1, 2});
    fake_reset();
    REPLY(RemoteConnectGetAllDomainStatsRet, {0, NULL});
    g_assert_cmpint(virDomainListGetStats(domains, 1, &stats, 2), ==, 0);
    virDomainStatsRecordListFree(stats);
    fake_assert_request(0, API_PROC(REMOTE_CONNECT_GET_ALL_DOMAIN_STATS),
                        &(RemoteConnectGetAllDomainStatsArgs){{1, asked}, 1, 2});
}

static void
descriptors_travel_beside_the_call(void)
{
    int files[] = {5, 6};
    int *list = NULL;
    char *result = NULL;

    REPLY(RemoteDomainCreateWithFilesRet, {(char *)"web1", {0}, 3});
    g_assert_cmpint(virDomainCreateWithFiles(DOMAIN, 2, files, 0), ==, 0);
    g_assert_cmpint(fake.fds_in[1], ==, 6);
    g_assert_cmpint(fake.domain_id, ==, 3);
    fake_reset();
    fake.n_fds_out = 1;
    fake.fds_out[0] = 40;
    g_assert_cmpint(virDomainOpenGraphicsFD(DOMAIN, 0, 0), ==, 40);
    fake_reset();
    fake.n_fds_out = 2;
    fake.fds_out[1] = 41;
    g_assert_cmpint(virDomainLxcOpenNamespace(DOMAIN, &list, 0), ==, 2);
    g_assert_cmpint(list[1], ==, 41);
    g_free(list);
    fake_reset();
    g_assert_cmpint(virDomainOpenGraphicsFD(DOMAIN, 0, 0), ==, -1);
    REPLY(QemuDomainMonitorCommandRet, (char *)"{}");
    fake.n_calls = 0;
    g_clear_pointer(&fake.requests[0], g_byte_array_unref);
    g_assert_cmpint(virDomainQemuMonitorCommand(DOMAIN, "{}", &result, 0), ==, 0);
    g_assert_cmpstr(result, ==, "{}");
    g_free(result);
}

static void
stream_is_given_to_the_call(void)
{
    virStreamPtr stream = (virStreamPtr) "stream";

    g_assert_cmpint(virDomainOpenConsole(DOMAIN, NULL, stream, 1), ==, 0);
    g_assert_true(fake.stream == stream);
    g_assert_cmpint(virDomainOpenConsole(DOMAIN, NULL, NULL, 1), ==, -1);
    g_assert_cmpint(fake.error_code, ==, VIR_ERR_INVALID_STREAM);
}

static void
text_becomes_a_uuid_before_the_call(void)
{
    RemoteDomainLookupByUuidArgs expected = {.uuid = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
                                                      0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
                                                      0xee, 0xff}};
    g_autofree char *found = NULL;

    REPLY(RemoteDomainLookupByUuidRet, WEB1);
    found = (char *)virDomainLookupByUUIDString(CONN, "00112233-4455-6677-8899-aabbccddeeff");
    g_assert_cmpstr(found, ==, "web1");
    fake_assert_request(0, API_PROC(REMOTE_DOMAIN_LOOKUP_BY_UUID), &expected);
    g_assert_null(virDomainLookupByUUIDString(CONN, "nonsense"));
    g_assert_cmpint(fake.error_code, ==, VIR_ERR_INVALID_ARG);
    g_assert_cmpint(fake.n_calls, ==, 1);
}

static void
nothing_is_sent_when_an_argument_is_wrong(void)
{
    int n_params = -1;

    g_assert_null(virDomainDefineXML(CONN, NULL));
    g_assert_cmpstr(fake.error, ==, "invalid argument: xml in virDomainDefineXML must not be NULL");
    g_assert_null(virDomainDefineXML(NULL, "<domain/>"));
    g_assert_cmpstr(fake.error, ==, "invalid virDomainDefineXML");
    g_assert_cmpint(virDomainGetMemoryParameters(DOMAIN, NULL, &n_params, 0), ==, -1);
    g_assert_cmpstr(
        fake.error, ==,
        "invalid argument: nparams in virDomainGetMemoryParameters must be zero or greater");
    g_assert_cmpint(virConnectListDomains(CONN, NULL, 4), ==, -1);
    g_assert_cmpint(virDomainSetMemoryParameters(DOMAIN, NULL, 0, 0), ==, -1);
    fake.is_read_only = true;
    g_assert_null(virDomainDefineXML(CONN, NULL));
    g_assert_cmpint(fake.error_code, ==, VIR_ERR_OPERATION_DENIED);
    g_assert_cmpint(fake.n_calls, ==, 0);
}

static void
failure_gives_each_function_its_error_value(void)
{
    virDomainPtr *domains = (virDomainPtr *)1;

    fake.fails = true;
    g_assert_cmpint(virDomainSuspend(DOMAIN), ==, -1);
    g_assert_cmpint(fake.error_code, ==, VIR_ERR_OPERATION_FAILED);
    g_assert_null(virDomainGetXMLDesc(DOMAIN, 0));
    g_assert_cmpuint(virDomainGetMaxMemory(DOMAIN), ==, 0);
    g_assert_cmpint(virConnectListAllDomains(CONN, &domains, 0), ==, -1);
    g_assert_null(domains);
}

static void
devices_go_by_their_name(void)
{
    REPLY(RemoteNodeDeviceGetAutostartRet, 1);
    int autostart = 0;

    g_assert_cmpint(virNodeDeviceGetAutostart((virNodeDevicePtr) "pci_1", &autostart), ==, 0);
    g_assert_cmpint(autostart, ==, 1);
    fake_assert_request(0, API_PROC(REMOTE_NODE_DEVICE_GET_AUTOSTART),
                        &(RemoteNodeDeviceGetAutostartArgs){(char *)"pci_1"});
}

static void
admin_calls_work_the_same(void)
{
    AdminTypedParam one[] = {{(char *)"minWorkers", {VIR_TYPED_PARAM_UINT, {.ui = 5}}}};
    virTypedParameterPtr params = NULL;
    int n_params = 0;

    REPLY(AdminServerGetThreadpoolParametersRet, {1, one});
    g_assert_cmpint(
        virAdmServerGetThreadPoolParameters((virAdmServerPtr) "libvirtd", &params, &n_params, 0),
        ==, 0);
    g_assert_cmpuint(params[0].value.ui, ==, 5);
    g_assert_cmpint(n_params, ==, 1);
    virTypedParamsFree(params, n_params);
}

static void
run(gconstpointer func)
{
    fake_reset();
    ((void (*)(void))func)();
    fake_reset();
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_data_func("/stubs/" #name, name, run)
    ADD(struct_is_filled_by_name);
    ADD(members_in_another_order_are_matched_by_name);
    ADD(string_and_object_are_handed_over);
    ADD(list_ends_with_null_and_may_be_left_out);
    ADD(lying_count_does_not_reach_the_caller);
    ADD(more_than_the_caller_has_room_for_is_an_error);
    ADD(names_belong_to_the_caller);
    ADD(typed_query_with_zero_asks_for_the_count);
    ADD(typed_query_fills_the_callers_array);
    ADD(typed_name_that_is_too_long_is_an_error);
    ADD(typed_array_is_allocated_with_what_comes_beside_it);
    ADD(typed_parameters_are_sent);
    ADD(matrix_keeps_the_width_of_the_caller);
    ADD(statistics_are_cut_to_the_callers_size);
    ADD(absent_block_job_leaves_zeros);
    ADD(security_label_must_fit);
    ADD(bytes_come_in_the_length_that_was_asked);
    ADD(maps_of_cpus_are_optional);
    ADD(wire_order_differs_from_c);
    ADD(starting_a_guest_learns_its_id);
    ADD(structures_are_allocated_and_freed);
    ADD(statistics_of_all_or_some_guests_are_one_procedure);
    ADD(descriptors_travel_beside_the_call);
    ADD(stream_is_given_to_the_call);
    ADD(text_becomes_a_uuid_before_the_call);
    ADD(nothing_is_sent_when_an_argument_is_wrong);
    ADD(failure_gives_each_function_its_error_value);
    ADD(devices_go_by_their_name);
    ADD(admin_calls_work_the_same);
    return g_test_run();
}
