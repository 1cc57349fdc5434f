/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces: the user network inside the emulator, and a tap that exists or is made. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/ids.h"
#include "driver/qemu/command_line.h"

static bool
refuse_net(GError **err, const Interface *net, const char *what)
{
    return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                "interface %s: %s is not supported by this QEMU driver",
                net->info.alias_name ? net->info.alias_name : "", what);
}

/* A descriptor of the tap @name, which is made when it is not there; its link is up afterwards. */
static int
open_tap(const char *name, bool may_make, GError **err)
{
    auto_fd int fd = -1;
    auto_fd int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    g_autofree char *device = g_build_filename("/sys/class/net", name ? name : "", NULL);

    if (name && strlen(name) >= sizeof(request.ifr_name)) {
        fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "interface name '%s' is too long", name);
        return -1;
    }
    if (!may_make && (!name || access(device, F_OK) < 0)) {
        fail(err, VIR_ERR_OPERATION_FAILED,
             "interface '%s' does not exist, and managed='no' forbids making it", name ? name : "");
        return -1;
    }
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        fail_errno(err, "open", "/dev/net/tun");
        return -1;
    }
    g_strlcpy(request.ifr_name, name ? name : "vnet%d", sizeof(request.ifr_name));
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        fail_errno(err, "attach to tap", request.ifr_name);
        return -1;
    }
    if (may_make && (control < 0 || ioctl(control, SIOCGIFFLAGS, &request) < 0)) {
        fail_errno(err, "look at tap", request.ifr_name);
        return -1;
    }
    if (may_make) {
        request.ifr_flags |= IFF_UP;
        if (ioctl(control, SIOCSIFFLAGS, &request) < 0) {
            fail_errno(err, "bring up tap", request.ifr_name);
            return -1;
        }
    }
    return fd_steal(&fd);
}

static Json *
user_backend(const Interface *net, GError **err)
{
    g_autoptr(Json) backend = json_pack("{s:s}", "type", "user");

    if (net->backend.type == NET_BACKEND_TYPE_PASST)
        return refuse_net(err, net, "backend 'passt'"), NULL;
    if (net->n_port_forwards)
        return refuse_net(err, net, "element <portForward>"), NULL;
    for (gsize i = 0; i < net->n_ips; i++) {
        const NetIp *ip = net->ips[i];
        bool is_v6 = !g_strcmp0(ip->family, "ipv6") || strchr(ip->address, ':');

        if (is_v6) {
            json_add_string(backend, "ipv6-prefix", ip->address);
            if (ip->has_prefix)
                json_add_int(backend, "ipv6-prefixlen", ip->prefix);
        } else {
            g_autofree char *text = ip->has_prefix
                                        ? g_strdup_printf("%s/%u", ip->address, ip->prefix)
                                        : g_strdup(ip->address);

            json_add_string(backend, "net", text);
        }
    }
    return g_steal_pointer(&backend);
}

static Json *
tap_backend(CommandLine *line, const Interface *net, GError **err)
{
    g_autofree char *text = NULL;
    int fd;

    if (net->script_path || net->downscript_path)
        return refuse_net(err, net, "element <script>"), NULL;
    if (net->driver.has_queues && net->driver.queues > 1)
        return refuse_net(err, net, "driver attribute 'queues'"), NULL;
    if (net->driver.name == NET_DRIVER_NAME_VHOST)
        return refuse_net(err, net, "driver name 'vhost'"), NULL;
    if (net->n_ips || net->n_routes || net->source.n_ips || net->source.n_routes)
        return refuse_net(err, net, "addresses of the host's side"), NULL;
    if (line->is_dry)
        return json_pack("{s:s s:s}", "type", "tap", "ifname",
                         net->target_dev ? net->target_dev : "");
    fd = line_keep_fd(line, open_tap(net->target_dev, net->target_managed != TRISTATE_NO, err));
    text = g_strdup_printf("%d", fd);
    return fd < 0 ? NULL : json_pack("{s:s s:s}", "type", "tap", "fd", text);
}

static void
add_offloads(Json *device, const NetDriver *driver)
{
    json_add_tristate(device, "csum", driver->host.csum);
    json_add_tristate(device, "gso", driver->host.gso);
    json_add_tristate(device, "host_tso4", driver->host.tso4);
    json_add_tristate(device, "host_tso6", driver->host.tso6);
    json_add_tristate(device, "host_ecn", driver->host.ecn);
    json_add_tristate(device, "host_ufo", driver->host.ufo);
    json_add_tristate(device, "mrg_rxbuf", driver->host.mrg_rxbuf);
    json_add_tristate(device, "guest_csum", driver->guest.csum);
    json_add_tristate(device, "guest_tso4", driver->guest.tso4);
    json_add_tristate(device, "guest_tso6", driver->guest.tso6);
    json_add_tristate(device, "guest_ecn", driver->guest.ecn);
    json_add_tristate(device, "guest_ufo", driver->guest.ufo);
}

static Json *
net_device(CommandLine *line, const Interface *net, const char *backend_id, GError **err)
{
    g_autoptr(Json) device = json_object();
    bool is_virtio = g_str_has_prefix(net->model_type ? net->model_type : "", "virtio");
    g_autofree char *name = is_virtio
                                ? virtio_device_name("virtio-net", &net->info, net->model_type)
                                : g_strdup(net->model_type);
    char mac[MAC_TEXT];

    if (!name ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")])
        return refuse_net(err, net, "this model"), NULL;
    if (!emulator_info_has_type(line->info, name))
        return fail_null(err, VIR_ERR_CONFIG_UNSUPPORTED,
                         "emulator '%s' has no network card model '%s'", line->info->path,
                         net->model_type);
    json_add_string(device, "driver", name);
    if (is_virtio) {
        if (net->driver.txmode != NET_TX_MODE_UNSET)
            json_add_string(device, "tx",
                            net->driver.txmode == NET_TX_MODE_IOTHREAD ? "bh" : "timer");
        json_add_tristate(device, "ioeventfd", net->driver.ioeventfd);
        json_add_tristate(device, "event_idx", net->driver.event_idx);
        add_offloads(device, &net->driver);
        if (net->driver.has_rx_queue_size)
            json_add_int(device, "rx_queue_size", net->driver.rx_queue_size);
        if (net->driver.has_tx_queue_size)
            json_add_int(device, "tx_queue_size", net->driver.tx_queue_size);
        if (net->has_mtu_size)
            json_add_int(device, "host_mtu", net->mtu_size);
        json_add_virtio(device, &net->driver.virtio);
    }
    mac_format(net->mac.address, mac);
    json_add_string(device, "netdev", backend_id);
    json_add_string(device, "id", net->info.alias_name);
    json_add_string(device, "mac", mac);
    json_add_boot(device, &net->info, line_boot_index(line, BOOT_DEVICE_NETWORK));
    if (!json_add_address(line, device, &net->info, err))
        return NULL;
    return g_steal_pointer(&device);
}

static bool
check_net(const Interface *net, GError **err)
{
    if (net->bandwidth)
        return refuse_net(err, net, "element <bandwidth>");
    if (net->vlan)
        return refuse_net(err, net, "element <vlan>");
    if (net->virtualport)
        return refuse_net(err, net, "element <virtualport>");
    if (net->filterref)
        return refuse_net(err, net, "element <filterref>");
    if (net->teaming)
        return refuse_net(err, net, "element <teaming>");
    return true;
}

static bool
add_net(CommandLine *line, const Interface *net, GError **err)
{
    g_autofree char *backend_id = g_strconcat("host", net->info.alias_name, NULL);
    g_autofree char *what = NULL;
    g_autoptr(Json) backend = NULL;
    g_autoptr(Json) device = NULL;

    if (!check_net(net, err))
        return false;
    if (net->type == NET_TYPE_USER) {
        backend = user_backend(net, err);
    } else if (net->type == NET_TYPE_ETHERNET) {
        backend = tap_backend(line, net, err);
    } else {
        what = g_strdup_printf("type '%s'", net_type_to_string(net->type));
        return refuse_net(err, net, what);
    }
    if (!backend)
        return false;
    json_add_string(backend, "id", backend_id);
    line_add_json(line, "-netdev", g_steal_pointer(&backend));
    device = net_device(line, net, backend_id, err);
    if (!device)
        return false;
    line_add_json(line, "-device", g_steal_pointer(&device));
    return true;
}

bool
command_add_nets(CommandLine *line, GError **err)
{
    for (gsize i = 0; i < line->dom->n_interfaces; i++)
        if (!add_net(line, line->dom->interfaces[i], err))
            return false;
    return true;
}
