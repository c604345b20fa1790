# Boots systemd in namespaces that are made already: a copy of this machine, of which only the
# changes are kept, and those in memory. All that it needs is looked for before anything is done.
#
# Arguments: a directory of our own, the directory of the binaries under test, the user's id.
set -eu
dir=$1 bin=$2 uid=$3
root=$dir/root
init=/lib/systemd/systemd

# Nothing that is mounted from here on is seen outside.
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs "$dir"
mkdir "$root" "$dir/upper" "$dir/inner"
mount -t overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/inner" overlay "$root"

mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for place in run tmp dev; do
    mount -t tmpfs -o mode=0755 tmpfs "$root/$place"
done
chmod 1777 "$root/tmp"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir -m 1777 "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mkdir "$root/dev/pts" "$root/opt/torc"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount --bind "$bin" "$root/opt/torc"

# A user who lingers, so that systemd runs services for that user without a login.
printf 'torctest:x:%s:%s::/srv/torctest:/bin/bash\n' "$uid" "$uid" >>"$root/etc/passwd"
printf 'torctest:x:%s:\n' "$uid" >>"$root/etc/group"
printf 'torctest:*:20000:0:99999:7:::\n' >>"$root/etc/shadow"
mkdir -p "$root/srv" "$root/var/lib/systemd/linger" "$root/var/log/journal" \
    "$root/run/systemd/system"
mkdir -m 0700 "$root/srv/torctest"
chown "$uid:$uid" "$root/srv/torctest"
: >"$root/var/lib/systemd/linger/torctest"
: >"$root/etc/fstab"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"

# Only what is needed, and none of the services of this machine.
cat >"$root/run/systemd/system/torctest.target" <<END
[Unit]
Requires=sysinit.target
Wants=dbus.socket dbus.service systemd-logind.service user@$uid.service
END

exec chroot "$root" setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog,-sys_boot \
    env -i container=torctest PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    "$init" --unit=torctest.target --log-target=console --show-status=no
