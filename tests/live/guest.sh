#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Make the tests' guest: guest.sh FOLDER puts vmlinuz and initrd.gz there. A Linux with busybox as everything, the modules for the
# virtual hardware that the tests use, and a shell on the serial port after the line GUEST-UP. Does nothing when both are there.
set -eu
out=$1
[ -s "$out/initrd.gz" ] && [ -s "$out/vmlinuz" ] && exit 0
modules=$(find /lib/modules -maxdepth 1 -name '*-cloud-amd64' | sort -V | tail -n 1)
[ -n "$modules" ] || { echo "guest.sh: no kernel: install linux-image-cloud-amd64" >&2; exit 1; }
release=${modules##*/}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,proc,sys,dev,mnt,modules,var/log,var/run}
cp "$(command -v busybox)" "$root/bin/busybox"
wanted='virtio_pci virtio_blk virtio_scsi sd_mod sr_mod ata_piix virtio_net virtio_console virtio_rng virtio_balloon evdev button'
n=100
for module in $wanted; do
    modprobe -S "$release" --show-depends "$module" 2>/dev/null | while read -r verb file _; do
        if [ "$verb" = insmod ]; then echo "$file"; fi
    done
done | awk '!seen[$0]++' | while read -r file; do
    n=$((n + 1))
    cp "$file" "$root/modules/$n-${file##*/}" # the number keeps the order of loading
done
cat > "$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts && mount -t devpts pts /dev/pts
for module in /modules/*; do insmod "$module" 2>/dev/null; done
acpid
echo GUEST-UP
exec setsid cttyhack sh
INIT
# The power button ends the guest, so that `virsh shutdown` has somebody to ask.
mkdir -p "$root/etc/acpi/PWRF"
printf '#!/bin/sh\nsync\npoweroff -f\n' > "$root/etc/acpi/PWRF/00000080"
chmod +x "$root/init" "$root/etc/acpi/PWRF/00000080"
mkdir -p "$out"
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) > "$out/initrd.gz.part"
cp "/boot/vmlinuz-$release" "$out/vmlinuz"
mv "$out/initrd.gz.part" "$out/initrd.gz"
