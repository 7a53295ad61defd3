#!/bin/sh
# Turns fresh mount and UTS namespaces into one lab host. Runs as root inside them, before anything else does:
#   host-setup.sh HOST ACCOUNT UID
# Everything mounted here is seen by this host only and is gone with its last process.
set -eu
host=$1 account=$2 uid=$3
lab=/run/detproof-lab
own=$lab/$host

# Without a mount table: that would be a file of the machine, /run/mount/utab.
mount() { command mount --no-mtab "$@"; }

private() { # TARGET MODE SIZE: an empty file system of this host's own; its source name marks the host as the lab's
  mount -t tmpfs -o "nosuid,nodev,mode=$2,size=$3" detproof-lab "$1"
}

# The mark comes first, so that a host that is set up half-way is recognised too.
mkdir -p "$own/run" "$own/dev"
private "$own/run" 0755 16m

hostname "$host"

# Nothing of the machine can be written to from here. A mount that refuses (autofs, say) is named in the log and left as it is.
while read -r _ _ _ _ target options _; do
  target=$(printf '%b' "$target")
  case $target in
    /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | "$own"/*) ;;
    /) mount -o "remount,bind,$options,ro" / ;;
    *) mount -o "remount,bind,$options,ro" "$target" || echo "still writable: $target" >&2 ;;
  esac
done < /proc/self/mountinfo

lay_over() { # SOURCE TARGET [OPTIONS]
  mount --bind "$1" "$2"
  mount -o "remount,bind,ro${3:-}" "$2"
}

for entry in "$own"/etc/*; do
  target=/etc/${entry##*/}
  if [ -e "$target" ]; then lay_over "$entry" "$target"; fi
done
# /run may be mounted noexec; the copies must run all the same.
lay_over "$lab/bin/sshd" /usr/sbin/sshd ,exec
lay_over "$lab/bin/cron" /usr/sbin/cron ,exec
# A cron job's output must not reach a mail system of the machine.
if [ -e /usr/sbin/sendmail ]; then mount --bind /dev/null /usr/sbin/sendmail; fi

private /tmp 1777 64m
private /var/tmp 1777 64m
private /var/log 0755 16m
for log in lastlog wtmp btmp; do : > "/var/log/$log"; done
private /var/spool/cron 0755 4m
mkdir /var/spool/cron/crontabs
chgrp crontab /var/spool/cron/crontabs
chmod 1730 /var/spool/cron/crontabs
# cron notices a new crontab by whole seconds: one installed in the second of its start must still be newer.
touch -d @0 /var/spool/cron/crontabs
private /home 0755 128m
mkdir -m 0700 "/home/$account"
private /srv 0755 16m
mkdir -m 0755 /srv/jobs /srv/monitoring
chown "$uid:$uid" "/home/$account" /srv/jobs /srv/monitoring

mount -t tmpfs -o nosuid,noexec,mode=0755,size=1m detproof-lab "$own/dev"
device() { mknod -m 0666 "$own/dev/$1" c "$2" "$3"; }
device null 1 3
device zero 1 5
device full 1 7
device random 1 8
device urandom 1 9
device tty 5 0
mkdir "$own/dev/pts" "$own/dev/shm"
mount -t devpts -o newinstance,nosuid,noexec,gid=5,mode=0620,ptmxmode=0666 devpts "$own/dev/pts"
private "$own/dev/shm" 1777 16m
ln -s pts/ptmx "$own/dev/ptmx"
ln -s /proc/self/fd "$own/dev/fd"
ln -s /proc/self/fd/0 "$own/dev/stdin"
ln -s /proc/self/fd/1 "$own/dev/stdout"
ln -s /proc/self/fd/2 "$own/dev/stderr"
ln -s /run/syslog/dev-log "$own/dev/log"
mount --move "$own/dev" /dev

# Last, because it hides $lab.
mkdir -p "$own/run/sshd" "$own/run/syslog"
mkdir -m 1777 "$own/run/lock"
: > "$own/run/utmp"
mount --bind "$own/syslog" "$own/run/syslog"
mount --move "$own/run" /run
