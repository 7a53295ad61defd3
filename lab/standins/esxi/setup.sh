#!/bin/sh
# Turns fresh mount and UTS namespaces into the ESXi stand-in. Runs as the machine's root inside them, before anything else does:
#   setup.sh FOLDER BASE TRIPLET
# FOLDER holds `files`, the host's own /etc, /bin and /lib/lab. BASE is the machine's id for the host's id 0; nothing that
# runs in the host later has another. TRIPLET names the machine's library folder. The machine's files are out of reach
# afterwards, but for its libraries, BusyBox, Python and sshd, which can be read and run.
set -eu
own=$1 base=$2 triplet=$3

# Without a mount table: that would be a file of the machine, /run/mount/utab.
mount() { command mount --no-mtab "$@"; }

private() { # TARGET MODE SIZE: an empty file system of this host's own; its source name marks the host as the lab's
  mkdir -p "$1"
  mount -t tmpfs -o "nosuid,nodev,uid=$base,gid=$base,mode=$2,size=$3" detproof-lab "$1"
}

lend() { # SOURCE TARGET: something of the machine, to be read and run only
  if [ -d "$1" ]; then mkdir -p "$2"; else mkdir -p "${2%/*}" && : > "$2"; fi
  mount --bind "$1" "$2"
  mount -o remount,bind,ro,nosuid,nodev "$2"
}

root=$own/root
# ESXi's root is a small ramdisk that its root may write to, and so is this.
private "$root" 0755 32m
cd "$root"

mkdir -p bin proc run/sshd store usr/bin usr/sbin usr/lib/vmware/openssh/bin var/empty var/lock vmfs/volumes
ln -s usr/lib lib
ln -s usr/lib64 lib64
ln -s bin sbin
ln -s ../run var/run
cp -R "$own/files/etc" etc
cp -R "$own/files/lib" usr/lib/lab
cp "$own/files/bin/"* bin/
# Programs that an ESXi shell has from BusyBox. There is no id, no sudo, no bash, and ps and uname are its own.
for name in [ ash awk basename cat chgrp chmod chown cksum clear cp cut date dd df diff dirname du echo egrep env expr \
  false fgrep find grep gunzip gzip head hexdump hostname kill less ln logger ls md5sum mkdir mkfifo mktemp more mv nohup \
  od pidof printf pwd readlink realpath reset rm rmdir sed seq setsid sh sha1sum sha256sum sha512sum sleep sort split stat \
  stty sum sync tail tar tee test time timeout touch tr true tty umount uniq unlink unzip usleep uudecode uuencode vi watch \
  wc wget which xargs zcat; do
  [ -e "bin/$name" ] || ln -s busybox "bin/$name"
done
ln -s python3 bin/python
chown -hR "$base:$base" .

python=$(readlink -f /usr/bin/python3)
lend /usr/bin/busybox "$root/bin/busybox"
lend "$python" "$root/bin/python3"
lend "/usr/lib/${python##*/}" "$root/usr/lib/${python##*/}"
lend "/usr/lib/$triplet" "$root/usr/lib/$triplet"
lend /usr/sbin/sshd "$root/usr/lib/vmware/openssh/bin/sshd"
mkdir -p usr/lib64
for loader in /lib/ld-linux* /lib64/ld-linux*; do
  if [ -e "$loader" ]; then lend "$(readlink -f "$loader")" "$root/usr${loader}"; fi
done

private "$root/tmp" 1777 32m
private "$root/var/log" 0755 16m
: > "$root/var/log/lastlog"
: > "$root/var/log/wtmp"
: > "$root/run/utmp"
chown "$base:$base" "$root"/var/log/* "$root/run/utmp"
private "$root/vmfs/volumes/65f2a1c4-9b3d7e10-5c2f-005056ab12cd" 1777 64m
ln -s 65f2a1c4-9b3d7e10-5c2f-005056ab12cd "$root/vmfs/volumes/lab-datastore"
# The name that the first local datastore of a host gets, which scenarios look for.
ln -s 65f2a1c4-9b3d7e10-5c2f-005056ab12cd "$root/vmfs/volumes/datastore1"
# Not at /proc, which is empty on ESXi: the host's own ps and log relay look here. It shows the host's own processes only.
mkdir -p "$root/run/lab/proc"
mount -t proc -o nosuid,nodev,noexec,hidepid=2 proc "$root/run/lab/proc"

mkdir -p "$root/dev"
mount -t tmpfs -o "nosuid,noexec,uid=$base,gid=$base,mode=0755,size=1m" detproof-lab "$root/dev"
device() { mknod -m 0666 "$root/dev/$1" c "$2" "$3" && chown "$base:$base" "$root/dev/$1"; }
device null 1 3
device zero 1 5
device full 1 7
device random 1 8
device urandom 1 9
device tty 5 0
mkdir "$root/dev/pts"
mount -t devpts -o "newinstance,nosuid,noexec,gid=$((base + 5)),mode=0620,ptmxmode=0666" devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"

mkdir "$root/.machine"
pivot_root . .machine
cd /
/bin/busybox umount -l /.machine
/bin/busybox rmdir /.machine
